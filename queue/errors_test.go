package queue_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/queue"
)

func TestErrorsSayWhatAndWhatToDo(t *testing.T) {
	t.Parallel()
	cause := errors.New("it has no body")
	for _, tt := range []struct {
		err   error
		parts []string
	}{
		{&queue.NotFoundError{ID: 12}, []string{"no job 12", "not remembered"}},
		{&queue.ConflictError{Lane: "ses", Key: "k 1", ID: 12}, []string{"job 12", "ses", `"k 1"`, "a key of its own"}},
		{&queue.InvalidError{Index: 2, Err: cause}, []string{"job 3", "it has no body"}},
		{&queue.LockedError{}, []string{"another process delivers", "one at a time"}},
		{&queue.LockedError{By: "process 4711 (kaizen queue run)"}, []string{"process 4711 (kaizen queue run) delivers"}},
	} {
		for _, part := range tt.parts {
			if !strings.Contains(tt.err.Error(), part) {
				t.Errorf("%q does not say %q", tt.err, part)
			}
		}
	}
	if !errors.Is(&queue.InvalidError{Err: cause}, cause) {
		t.Error("an InvalidError hides its cause")
	}
}
