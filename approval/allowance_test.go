package approval

import (
	"errors"
	"testing"
	"testing/synctest"
)

func TestDecisionsCoverWhatTheySay(t *testing.T) {
	for _, tc := range []struct {
		decision             Decision
		approved             bool
		nextCall, afterClear bool
		afterRestart         bool
		allowances           int
	}{
		{decision: Approve, approved: true},
		{decision: Deny},
		{decision: ApproveSession, approved: true, nextCall: true, allowances: 1},
		{decision: ApproveAlways, approved: true, nextCall: true, afterClear: true, afterRestart: true, allowances: 1},
	} {
		t.Run(string(tc.decision), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, Config{})
				w.answers(t, tc.decision)
				q := question(t)
				outcome, err := w.Ask(t.Context(), q)
				if err != nil || outcome.Approved() != tc.approved || outcome.Decision != tc.decision || outcome.Via != ViaAnswer || outcome.Reason != "because" {
					t.Fatalf("%+v, %v", outcome, err)
				}
				if got := len(w.Allowances(q.Principal)); got != tc.allowances {
					t.Errorf("%d allowances", got)
				}
				w.person.answer = nil
				covered := func(when string, want bool) {
					t.Helper()
					q.Call += "x"
					if !want {
						w.unanswered(t, q)
						return
					}
					if o, err := w.Ask(t.Context(), q); err != nil || !o.Approved() || o.Via != ViaAllowance || o.Allowance == "" {
						t.Errorf("%s: %+v, %v", when, o, err)
					}
				}
				covered("the next call", tc.nextCall)
				w.ClearSession(q.Principal)
				covered("after the session", tc.afterClear)
				w.restart(t)
				covered("after a restart", tc.afterRestart)
			})
		})
	}
}

func TestAllowancesAreBoundExactly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{})
		w.answers(t, ApproveAlways)
		if _, err := w.Ask(t.Context(), question(t)); err != nil {
			t.Fatal(err)
		}
		w.person.answer = nil
		for rule, change := range map[string]func(*Question){
			"another principal":                     func(q *Question) { q.Principal = id(t, "bob") },
			"another capsule":                       func(q *Question) { q.Capsule = "shell" },
			"another action":                        func(q *Question) { q.Action = "fs.read" },
			"another resource":                      func(q *Question) { q.Resource = "cwd://a/b" },
			"a resource that is shown like it":      func(q *Question) { q.Resource = "cwd://a\x00" },
			"a wildcard":                            func(q *Question) { q.Resource = "cwd://*" },
			"a border moved between the two fields": func(q *Question) { q.Action, q.Resource = "fs.writecwd:", "//a" },
		} {
			q := question(t)
			q.Call = "c2"
			change(&q)
			if got := w.unanswered(t, q); got == "" {
				t.Errorf("%s: no question", rule)
			}
		}
	})
}

func TestOnceCoversThatCallOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{})
		w.answers(t, Approve)
		if _, err := w.Ask(t.Context(), question(t)); err != nil {
			t.Fatal(err)
		}
		w.person.answer = nil
		w.restart(t)
		w.unanswered(t, question(t)) // the approval is used up, after a restart too
		changed := question(t)
		changed.ArgsHash = "other"
		w.unanswered(t, changed)
	})
}

func TestRevokedAllowancesDoNotComeBack(t *testing.T) {
	for _, scope := range []Decision{ApproveSession, ApproveAlways} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, Config{})
			w.answers(t, scope)
			q := question(t)
			if _, err := w.Ask(t.Context(), q); err != nil {
				t.Fatal(err)
			}
			w.person.answer = nil
			allowance := w.Allowances(q.Principal)[0]
			if err := w.Revoke(t.Context(), id(t, "bob"), allowance.ID); !errors.Is(err, ErrNotFound) {
				t.Errorf("bob revokes: %v", err)
			}
			if err := w.Revoke(t.Context(), q.Principal, allowance.ID); err != nil {
				t.Fatal(err)
			}
			q.Call = "c2"
			w.unanswered(t, q)
			w.restart(t)
			if left := w.Allowances(q.Principal); len(left) != 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

func TestClearSessionIsForOnePrincipal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{})
		w.answers(t, ApproveSession)
		alices, bobs := question(t), question(t)
		bobs.Principal = id(t, "bob")
		for _, q := range []Question{alices, bobs} {
			if _, err := w.Ask(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
		w.ClearSession(alices.Principal)
		if a, b := len(w.Allowances(alices.Principal)), len(w.Allowances(bobs.Principal)); a != 0 || b != 1 {
			t.Errorf("alice has %d, bob has %d", a, b)
		}
	})
}

func TestAnAnswerStoredWhileTheSessionEndsLeavesNoSessionAllowance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{})
		q := question(t)
		qid := w.unanswered(t, q)
		w.store.during = func() { w.ClearSession(q.Principal) }
		if _, err := w.Answer(t.Context(), q.Principal, qid, Answer{Decision: ApproveSession}); err != nil {
			t.Fatal(err)
		}
		if left := w.Allowances(q.Principal); len(left) != 0 {
			t.Errorf("left: %v", left)
		}
	})
}

func BenchmarkAskAllowed(b *testing.B) {
	w := &world{store: &memStore{values: map[string][]byte{}}, person: &person{heard: make(chan Question, 1)}}
	inbox, err := Open(b.Context(), w.store, Config{Notifier: w.person})
	if err != nil {
		b.Fatal(err)
	}
	q := question(b)
	w.person.answer = func(asked Question) {
		if _, err := inbox.Answer(b.Context(), asked.Principal, asked.ID, Answer{Decision: ApproveSession}); err != nil {
			b.Error(err)
		}
	}
	if _, err := inbox.Ask(b.Context(), q); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if o, err := inbox.Ask(b.Context(), q); err != nil || o.Via != ViaAllowance {
			b.Fatal(o, err)
		}
	}
}
