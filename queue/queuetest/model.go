package queuetest

var models []behaviour
