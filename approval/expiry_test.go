package approval

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestExpiryIsNobodysNo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Expiry: time.Hour})
		q := question(t)
		start := time.Now()
		o, err := w.Ask(t.Context(), q)
		if !errors.Is(err, ErrExpired) || o.Decision != "" || time.Since(start) != time.Hour {
			t.Fatalf("after %v: %+v, %v", time.Since(start), o, err)
		}
		item, err := w.Get(t.Context(), q.Principal, o.Question)
		if err != nil || item.State != Expired || item.Answer.Decision != "" {
			t.Errorf("%+v, %v", item, err)
		}
		if _, err := w.Answer(t.Context(), q.Principal, o.Question, Answer{Decision: Approve}); !errors.Is(err, ErrExpired) {
			t.Errorf("an expired question was answered: %v", err)
		}
		w.answers(t, Approve)
		if o, err := w.Ask(t.Context(), q); err != nil || !o.Approved() {
			t.Errorf("asked again: %+v, %v", o, err)
		}
	})
}

func TestUnattendedQuestionsExpireWhenLookedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Expiry: time.Hour})
		q := question(t)
		qid := w.unanswered(t, q)
		time.Sleep(2 * time.Hour)
		if items, err := w.List(t.Context(), q.Principal, false); err != nil || len(items) != 0 {
			t.Errorf("open: %v, %v", items, err)
		}
		if _, err := w.Answer(t.Context(), q.Principal, qid, Answer{Decision: Approve}); !errors.Is(err, ErrExpired) {
			t.Errorf("answered: %v", err)
		}
	})
}

func TestAbandonedQuestionsExpireByConfigurationOnly(t *testing.T) {
	for expire, want := range map[bool]State{false: Pending, true: Expired} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, Config{ExpireAbandoned: expire})
			q := question(t)
			qid := w.unanswered(t, q)
			if item, err := w.Get(t.Context(), q.Principal, qid); err != nil || item.State != want {
				t.Errorf("ExpireAbandoned %v leaves %v, %v", expire, item.State, err)
			}
		})
	}
}

func TestAQuestionIsNotAbandonedWhileSomebodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{ExpireAbandoned: true})
		q := question(t)
		var wg sync.WaitGroup
		wg.Go(func() {
			if o, err := w.Ask(t.Context(), q); err != nil || !o.Approved() {
				t.Errorf("the one who waits: %+v, %v", o, err)
			}
		})
		synctest.Wait()
		qid := w.unanswered(t, q)
		if _, err := w.Answer(t.Context(), q.Principal, qid, Answer{Decision: Approve}); err != nil {
			t.Error(err)
		}
		wg.Wait()
	})
}

func TestOpenQuestionsAreBoundedPerPrincipal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{MaxPending: 2})
		q := question(t)
		for i := range 2 {
			q.Call = fmt.Sprint(i)
			w.unanswered(t, q)
		}
		q.Call = "one more"
		if _, err := w.Ask(t.Context(), q); !errors.Is(err, ErrTooMany) {
			t.Errorf("one too many: %v", err)
		}
		q.Principal = id(t, "bob")
		w.unanswered(t, q)
	})
}

func TestHistoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{MaxHistory: 3})
		w.answers(t, Approve)
		q := question(t)
		for i := range 10 {
			q.Call = fmt.Sprint(i)
			time.Sleep(time.Second)
			if _, err := w.Ask(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
		w.restart(t)
		items, err := w.List(t.Context(), q.Principal, true)
		if err != nil || len(items) != 3 || items[0].Call != "7" {
			t.Errorf("kept %+v, %v", items, err)
		}
	})
}
