namespace htmengine {}
