from fastapi import FastAPI
from talk import crash, talk

app = FastAPI()
app.get("/talk")(talk)
app.get("/crash")(crash)
