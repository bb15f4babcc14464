package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/test/crash/task"
)

var accountNames = []string{"shop", "shop", "shop", "news", "news", "desk", task.Chain, task.Chain}

// newLetters makes letters of all sorts. Bulky ones fill the store's log, so that it
// is written back.
func newLetters(dice *rand.Rand, seed uint64, count int, bulky bool) []task.Letter {
	letters := make([]task.Letter, count)
	for i := range letters {
		l := &letters[i]
		l.Key = fmt.Sprintf("%d-%d", seed, i)
		l.Account = accountNames[dice.IntN(len(accountNames))]
		l.Size = 200 + dice.IntN(3000)
		switch {
		case dice.IntN(25) == 0:
			l.Size = 70_000 + dice.IntN(150_000)
		case bulky:
			l.Size = 30_000 + dice.IntN(30_000)
		}
		l.Priority = queue.Priority(dice.IntN(queue.Ranks))
		l.Unknown = [...]queue.Policy{queue.Retry, queue.Retry, queue.Hold, queue.Never}[dice.IntN(4)]
		if dice.IntN(20) == 0 {
			l.Durability = queue.Memory
		}
		if dice.IntN(10) == 0 {
			l.Delay = time.Duration(dice.IntN(200)) * time.Millisecond
		}
		if dice.IntN(20) == 0 {
			l.Expire = time.Duration(1+dice.IntN(150)) * time.Millisecond
		}
		if dice.IntN(25) == 0 {
			l.Key += "-spam"
		}
		l.To = recipients(dice, l.Key)
		l.Then = deed(dice)
	}
	return letters
}

func recipients(dice *rand.Rand, key string) (to []string) {
	count := 1
	if dice.IntN(3) == 0 {
		count += 1 + dice.IntN(3)
	}
	for i := range count {
		kind := "to"
		switch dice.IntN(20) {
		case 0:
			kind = "refused"
		case 1:
			kind = "later"
		}
		to = append(to, fmt.Sprintf("%s-%s-%d@example.net", kind, key, i))
	}
	return to
}

func deed(dice *rand.Rand) task.Deed {
	switch n := dice.IntN(100); {
	case n < 10:
		return task.Cancel
	case n < 14:
		return task.Hold
	case n < 18:
		return task.Reorder
	case n < 20:
		return task.Pause
	}
	return ""
}
