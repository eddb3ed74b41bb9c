"""
The commands of ``asgi-trace`` that read logs. Nothing here is loaded while an app serves requests.
"""
