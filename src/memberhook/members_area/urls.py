"""URLs of the pages for members."""

from __future__ import annotations

from django.urls import path

from memberhook.members_area import pages

app_name = "memberhook"

urlpatterns = [
    path("login/", pages.Login.as_view(), name="login"),
    path("logout/", pages.Logout.as_view(), name="logout"),
    path("account/", pages.account, name="account"),
    path("password/", pages.ForgotPassword.as_view(), name="forgot_password"),
    path("password/sent/", pages.PasswordMailSent.as_view(), name="password_mail_sent"),
    path("password/set/<uidb64>/<token>/", pages.SetPassword.as_view(), name="set_password"),
]
