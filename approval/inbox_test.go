package approval

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/astrid-go/astrid/kv"
	"github.com/astrid-go/astrid/principal"
)

// memStore is a Store whose content outlives an Inbox, as a disk outlives a process, and whose writes can fail.
type memStore struct {
	mu     sync.Mutex
	values map[string][]byte
	fail   error
	during func() // runs at each write, before it
}

func (m *memStore) Batch(ctx context.Context, b kv.Batch) error {
	if m.during != nil {
		m.during()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := errors.Join(m.fail, ctx.Err()); err != nil {
		return err
	}
	for _, c := range b.Writes {
		if c.Value == nil {
			delete(m.values, c.Key)
		} else {
			m.values[c.Key] = c.Value
		}
	}
	return nil
}

// pageSize makes every listing of more than one record a paged one.
const pageSize = 1

func (m *memStore) List(_ context.Context, prefix, cursor string, _ int) (kv.Page, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var page kv.Page
	for _, key := range slices.Sorted(maps.Keys(m.values)) {
		if !strings.HasPrefix(key, prefix) || key <= cursor {
			continue
		}
		if len(page.Keys) == pageSize {
			page.Next = page.Keys[pageSize-1]
			break
		}
		page.Keys = append(page.Keys, key)
	}
	return page, nil
}

func (m *memStore) Get(_ context.Context, key string) ([]byte, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	value, ok := m.values[key]
	return value, ok, nil
}

// person hears of questions and may answer at once.
type person struct {
	heard  chan Question
	answer func(Question)
}

func (p *person) Notify(_ context.Context, q Question) {
	p.heard <- q
	if p.answer != nil {
		p.answer(q)
	}
}

type world struct {
	*Inbox
	store  *memStore
	person *person
	config Config
}

// newWorld opens an inbox on an empty store.
func newWorld(t *testing.T, config Config) *world {
	t.Helper()
	w := &world{store: &memStore{values: map[string][]byte{}}, person: &person{heard: make(chan Question, 1024)}, config: config}
	w.config.Notifier = w.person
	w.restart(t)
	return w
}

// restart forgets all that is in memory, as kill -9 does.
func (w *world) restart(t *testing.T) {
	t.Helper()
	inbox, err := Open(t.Context(), w.store, w.config)
	if err != nil {
		t.Fatal(err)
	}
	w.Inbox = inbox
}

// answers makes the person answer every question at once.
func (w *world) answers(t *testing.T, decision Decision) {
	w.person.answer = func(q Question) {
		if _, err := w.Answer(t.Context(), q.Principal, q.ID, Answer{Decision: decision, Reason: "because"}); err != nil {
			t.Error(err)
		}
	}
}

// unanswered asks without anybody answering and returns the id of the open question.
func (w *world) unanswered(t *testing.T, q Question) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	outcome, err := w.Ask(ctx, q)
	if !errors.Is(err, context.DeadlineExceeded) || outcome.Approved() {
		t.Fatalf("nobody answered: %+v, %v", outcome, err)
	}
	return outcome.Question
}

func id(t testing.TB, s string) principal.ID {
	t.Helper()
	parsed, err := principal.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func question(t testing.TB) Question {
	return Question{Principal: id(t, "alice"), Capsule: "fs", Call: "c1", Action: "fs.write", Resource: "cwd://a", ArgsHash: "h"}
}

func TestQuestionsSurviveARestartAndALateAnswerIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{})
		q := question(t)
		qid := w.unanswered(t, q)
		w.restart(t)
		items, err := w.List(t.Context(), q.Principal, false)
		if err != nil || len(items) != 1 || items[0].ID != qid || items[0].State != Pending {
			t.Fatalf("%+v, %v", items, err)
		}
		if _, err := w.Answer(t.Context(), q.Principal, qid, Answer{Decision: Deny, Reason: "not \x1b[2Jthis"}); err != nil {
			t.Fatal(err)
		}
		w.restart(t)
		o, err := w.Ask(t.Context(), q)
		if err != nil || o.Approved() || o.Decision != Deny || o.Reason != `not \u{1b}[2Jthis` {
			t.Errorf("%+v, %v", o, err)
		}
	})
}

func TestAnswersAreTakenOnceAndFromTheOwnPrincipal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{})
		q := question(t)
		qid := w.unanswered(t, q)
		bob := id(t, "bob")
		if _, err := w.Answer(t.Context(), bob, qid, Answer{Decision: Approve}); !errors.Is(err, ErrNotFound) {
			t.Errorf("bob answers: %v", err)
		}
		if _, err := w.Get(t.Context(), bob, qid); !errors.Is(err, ErrNotFound) {
			t.Errorf("bob reads: %v", err)
		}
		if items, err := w.List(t.Context(), bob, true); err != nil || len(items) != 0 {
			t.Errorf("bob lists %v, %v", items, err)
		}
		for _, bad := range []Decision{"", "yes", "Approve", "approve_workspace"} {
			if _, err := w.Answer(t.Context(), q.Principal, qid, Answer{Decision: bad}); !errors.Is(err, ErrInvalid) {
				t.Errorf("%q: %v", bad, err)
			}
		}
		var wg sync.WaitGroup
		results := make(chan error, 8)
		for range cap(results) {
			wg.Go(func() {
				_, err := w.Answer(t.Context(), q.Principal, qid, Answer{Decision: Approve})
				results <- err
			})
		}
		wg.Wait()
		close(results)
		taken := 0
		for err := range results {
			if err == nil {
				taken++
			} else if !errors.Is(err, ErrAnswered) {
				t.Error(err)
			}
		}
		if taken != 1 {
			t.Errorf("%d answers were taken", taken)
		}
	})
}

func TestWhatIsNotStoredIsNotActedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{})
		full := errors.New("disk full")
		w.store.fail = full
		q := question(t)
		if _, err := w.Ask(t.Context(), q); !errors.Is(err, full) || len(w.person.heard) != 0 {
			t.Errorf("a question that is not stored was put: %v", err)
		}
		w.store.fail = nil
		qid := w.unanswered(t, q)
		w.store.fail = full
		if _, err := w.Answer(t.Context(), q.Principal, qid, Answer{Decision: ApproveAlways}); !errors.Is(err, full) {
			t.Errorf("an answer that is not stored was taken: %v", err)
		}
		if left := w.Allowances(q.Principal); len(left) != 0 {
			t.Errorf("it left %v", left)
		}
		w.unanswered(t, q)
		w.store.fail = nil
		if _, err := w.Answer(t.Context(), q.Principal, qid, Answer{Decision: ApproveAlways}); err != nil {
			t.Fatal(err)
		}
		w.store.fail = full
		if err := w.Revoke(t.Context(), q.Principal, w.Allowances(q.Principal)[0].ID); !errors.Is(err, full) {
			t.Errorf("a revocation that is not stored was acknowledged: %v", err)
		}
	})
}

func TestManyWaitersGetTheOneNo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{})
		q := question(t)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if o, err := w.Ask(t.Context(), q); err != nil || o.Decision != Deny {
					t.Errorf("%+v, %v", o, err)
				}
			})
		}
		synctest.Wait()
		if _, err := w.Answer(t.Context(), q.Principal, q.id(), Answer{Decision: Deny}); err != nil {
			t.Error(err)
		}
		wg.Wait()
	})
}

func TestOneApprovalLetsOneOfManyWaitersPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{})
		q := question(t)
		var passed atomic.Int32
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if o, err := w.Ask(t.Context(), q); err == nil && o.Approved() {
					passed.Add(1)
				}
			})
		}
		for round := int32(1); round <= 4; round++ {
			synctest.Wait()
			if _, err := w.Answer(t.Context(), q.Principal, q.id(), Answer{Decision: Approve}); err != nil {
				t.Fatalf("round %d: the others were not asked again: %v", round, err)
			}
			synctest.Wait()
			if passed.Load() != round {
				t.Fatalf("round %d: %d passed", round, passed.Load())
			}
		}
		wg.Wait()
	})
}

func TestALateApprovalIsFoundOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{})
		q := question(t)
		qid := w.unanswered(t, q)
		if _, err := w.Answer(t.Context(), q.Principal, qid, Answer{Decision: Approve}); err != nil {
			t.Fatal(err)
		}
		w.restart(t)
		if o, err := w.Ask(t.Context(), q); err != nil || !o.Approved() {
			t.Errorf("the same call does not find its answer: %+v, %v", o, err)
		}
		w.restart(t)
		w.unanswered(t, q)
	})
}

func TestMalformedQuestionsAreRefused(t *testing.T) {
	w := newWorld(t, Config{})
	for rule, change := range map[string]func(*Question){
		"nobody":           func(q *Question) { q.Principal = principal.ID{} },
		"anonymous":        func(q *Question) { q.Principal = principal.Anonymous() },
		"no capsule":       func(q *Question) { q.Capsule = "" },
		"no call":          func(q *Question) { q.Call = "" },
		"no action":        func(q *Question) { q.Action = "" },
		"no resource":      func(q *Question) { q.Resource = "" },
		"long action":      func(q *Question) { q.Action = strings.Repeat("ü", MaxActionChars+1) },
		"long resource":    func(q *Question) { q.Resource = strings.Repeat("a", MaxResourceChars+1) },
		"very long reason": func(q *Question) { q.Reason = strings.Repeat("a", 1<<20) },
	} {
		q := question(t)
		change(&q)
		if _, err := w.Ask(t.Context(), q); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", rule, err)
		}
	}
}

func TestQuestionsAreSafeToPrint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{})
		q := question(t)
		q.Capsule, q.Call, q.Action, q.Resource, q.Reason = "f\x00", "c\r", "a\x1b[2J", "cwd://\u202ex", "r\n"
		qid := w.unanswered(t, q)
		item, err := w.Get(t.Context(), q.Principal, qid)
		heard := <-w.person.heard
		if err != nil || heard != item.Question {
			t.Fatalf("heard %+v, stored %+v, %v", heard, item, err)
		}
		if got := strings.Join([]string{heard.Capsule, heard.Call, heard.Action, heard.Resource, heard.Reason}, " "); got !=
			`f\u{0} c\u{d} a\u{1b}[2J cwd://\u{202e}x r\u{a}` {
			t.Errorf("shown as %s", got)
		}
	})
}

func TestAnAnswerThatArrivesAsTheCallerLeavesIsUsed(t *testing.T) {
	w := newWorld(t, Config{})
	q := question(t)
	for i := range 50 { // the two ends of the wait race, and either may be seen first
		q.Call = fmt.Sprint(i)
		ctx, cancel := context.WithCancel(t.Context())
		w.person.answer = func(asked Question) {
			if _, err := w.Answer(t.Context(), asked.Principal, asked.ID, Answer{Decision: Approve}); err != nil {
				t.Error(err)
			}
			cancel()
		}
		if o, err := w.Ask(ctx, q); err != nil || !o.Approved() {
			t.Fatalf("%+v, %v", o, err)
		}
	}
}

func TestDamagedRecordsStopTheOpening(t *testing.T) {
	w := newWorld(t, Config{})
	for rule, values := range map[string]map[string][]byte{
		"not JSON":             {"q/alice/1": []byte("{")},
		"another format":       {"q/alice/1": []byte(`{"v":2,"covers":"","item":{"principal":"alice","request_id":"1","asked_at":"2026-01-01T00:00:00Z","state":"pending"}}`)},
		"another's key":        {"q/bob/1": []byte(`{"v":1,"covers":"","item":{"principal":"alice","request_id":"1","asked_at":"2026-01-01T00:00:00Z","state":"pending"}}`)},
		"an allowance moved":   {"a/bob/1": []byte(`{"v":1,"allowance":{"allowance_id":"1","question":{"principal":"alice"},"scope":"always"}}`)},
		"a stored session":     {"a/alice/1": []byte(`{"v":1,"allowance":{"allowance_id":"1","question":{"principal":"alice"},"scope":"session"}}`)},
		"an unknown field":     {"a/alice/1": []byte(`{"v":1,"more":1}`)},
		"a stored nobody":      {"a//1": []byte(`{"v":1,"allowance":{"question":{"principal":""}}}`)},
		"an unknown allowance": {"a/alice/1": []byte(`{"v":9,"allowance":{"allowance_id":"1","question":{"principal":"alice"}}}`)},
	} {
		if _, err := Open(t.Context(), &memStore{values: values}, w.config); err == nil {
			t.Errorf("%s: opened", rule)
		}
	}
}

func FuzzVisible(f *testing.F) {
	for _, seed := range []string{"plain", "\x1b[2J", "a\u202eb", "\xff", "é\n", "\ufffd"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Visible(s)
		if strings.ContainsAny(got, "\x00\x07\x1b\n\r\u202e\u200b\u0085") {
			t.Fatalf("%q is shown as %q", s, got)
		}
	})
}
