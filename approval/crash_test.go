package approval

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/astrid-go/astrid/kv"
	"github.com/astrid-go/astrid/principal"
)

// crashStoreEnv makes the test binary the child of TestKillLosesNothingAcknowledged; its value is the store's path.
const crashStoreEnv = "APPROVAL_CRASH_STORE"

func openOnDisk(t *testing.T, path string, notifier Notifier) (*Inbox, *kv.Store) {
	t.Helper()
	store, err := kv.Open(path, kv.Config{})
	if err != nil {
		t.Fatal(err)
	}
	namespace, err := store.Namespace("system:approval")
	if err != nil {
		t.Fatal(err)
	}
	inbox, err := Open(t.Context(), namespace, Config{Notifier: notifier})
	if err != nil {
		t.Fatal(err)
	}
	return inbox, store
}

type notifyFunc func(context.Context, Question)

func (f notifyFunc) Notify(ctx context.Context, q Question) { f(ctx, q) }

// TestCrashChild answers questions for ever and prints the id of each answer it was told is stored.
func TestCrashChild(t *testing.T) {
	path := os.Getenv(crashStoreEnv)
	if path == "" {
		t.Skip("runs as the child of TestKillLosesNothingAcknowledged")
	}
	var inbox *Inbox
	inbox, _ = openOnDisk(t, path, notifyFunc(func(ctx context.Context, q Question) {
		if _, err := inbox.Answer(ctx, q.Principal, q.ID, Answer{Decision: ApproveAlways}); err != nil {
			t.Error(err)
		}
	}))
	for i := 0; ; i++ {
		q := question(t)
		q.Call, q.Resource = fmt.Sprint(i), fmt.Sprintf("cwd://%d", i)
		outcome, err := inbox.Ask(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("stored", outcome.Question, q.allowance())
	}
}

func TestKillLosesNothingAcknowledged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrashChild$")
	child.Env = append(os.Environ(), crashStoreEnv+"="+path)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	acknowledged := map[string]string{} // question to allowance
	for lines := bufio.NewScanner(out); len(acknowledged) < 50 && lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) == 3 && fields[0] == "stored" {
			acknowledged[fields[1]] = fields[2]
		}
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // it was killed, which Wait reports
	if len(acknowledged) < 50 {
		t.Fatalf("the child acknowledged %d answers only", len(acknowledged))
	}
	alice, err := principal.Parse("alice")
	if err != nil {
		t.Fatal(err)
	}
	inbox, store := openOnDisk(t, path, notifyFunc(func(context.Context, Question) {}))
	defer store.Close()
	allowed := map[string]bool{}
	for _, a := range inbox.Allowances(alice) {
		allowed[a.ID] = true
	}
	for question, allowance := range acknowledged {
		item, err := inbox.Get(t.Context(), alice, question)
		if err != nil || item.State != Answered || item.Answer.Decision != ApproveAlways || !allowed[allowance] {
			t.Errorf("lost: %+v, %v, allowed %v", item, err, allowed[allowance])
		}
	}
}
