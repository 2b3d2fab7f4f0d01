"""What a method field reads two calls down, a whole relation, the view may have loaded along; a filter it cannot."""

from django.db import models
from rest_framework import serializers


class Member(models.Model):
    name = models.CharField(max_length=80)

    def role(self, team_id):
        membership = self.membership(team_id)
        return membership.role if membership else None

    def membership(self, team_id):
        return next((each for each in self.memberships.all() if each.team_id == team_id), None)

    def latest(self):
        return self.memberships.order_by("-joined").first()


class Membership(models.Model):
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="memberships")
    team_id = models.IntegerField()
    role = models.CharField(max_length=20)
    joined = models.DateField()


class MemberSerializer(serializers.ModelSerializer):
    role = serializers.SerializerMethodField()
    latest = serializers.SerializerMethodField()

    class Meta:
        model = Member
        fields = ["name", "role", "latest"]

    def get_role(self, member):
        return member.role(self.context["team"])

    def get_latest(self, member):
        return str(member.latest())  # flagged
