echo $$ waits; sleep 600
