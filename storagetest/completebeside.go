package storagetest

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// besideRounds is how many histories a case has.
const besideRounds = 12

const explainsCompletions = "an upload makes its object once, at one moment: an order of all calls explains what each returned and what each read saw, so that no newer object is replaced and no removed one is back"

var completeBesideCases = []Case{
	{
		Name: "a completion beside writes and removals", Rule: "U3",
		Explanation: explainsCompletions,
		Needs:       storage.OpenUploads | storage.Metadata,
		run:         func(t *T) { t.runCompletionsBeside(1) },
	},
	{
		Name: "completions beside writes and removals", Rule: "U3",
		Explanation: explainsCompletions,
		Needs:       storage.OpenUploads | storage.Metadata,
		run:         func(t *T) { t.runCompletionsBeside(2) },
	},
}

func (t *T) runCompletionsBeside(completions int) {
	b := t.open()
	for round := range besideRounds {
		key := fmt.Sprint("key", round)
		h, before := &history{}, keyState{}
		if round%2 == 1 {
			before.content = "before"
			t.put(b, key, before.content)
		}
		u := t.begin(b, key)
		t.putPart(u, 1, "upload")
		t.runBeside(h, b, u, completions, round)
		h.do(t.recordRead(b, key))
		h.do(t.recordComplete(t.continued(b, u)))
		h.do(t.recordRead(b, key))
		require.True(t, h.explained(before), "no order explains this:\n%v", h)
	}
}

// runBeside runs completions beside a write, a removal and a read.
func (t *T) runBeside(h *history, b storage.Bucket, u storage.MultipartUpload, completions, round int) {
	var group sync.WaitGroup
	run := func(calls ...recorded) {
		group.Go(func() {
			for _, call := range calls {
				h.do(call)
			}
		})
	}
	for range completions {
		run(t.recordComplete(t.continued(b, u)))
	}
	write, remove, read := t.recordWrite(b, u.Key(), fmt.Sprint("write", round)), t.recordRemove(b, u.Key()), t.recordRead(b, u.Key())
	switch round % 3 {
	case 0:
		run(read, remove, read)
	case 1:
		run(read, write, read)
	default:
		run(write, read)
		run(remove, read)
	}
	group.Wait()
}

func (t *T) recordComplete(u storage.MultipartUpload) recorded {
	return func() (string, step) {
		_, err := u.Complete(t.Context())
		switch {
		case storage.CodeOf(err) == storage.ObjectNotFound && errors.Is(err, storage.OutcomeUnknown):
			return "Complete: it has ended, outcome unknown", endedUnknown("upload")
		case storage.CodeOf(err) == storage.ObjectNotFound:
			return "Complete: it has ended", foundEnded("upload")
		case err != nil:
			t.Errorf("Complete: %v", err)
		}
		return "Complete", completedWith("upload")
	}
}

func (t *T) recordWrite(b storage.Bucket, key, content string) recorded {
	return func() (string, step) {
		if _, err := b.Upload(t.Context(), key, strings.NewReader(content)); err != nil {
			t.Errorf("Upload: %v", err)
		}
		return "Upload of " + content, wrote(content)
	}
}

func (t *T) recordRemove(b storage.Bucket, key string) recorded {
	return func() (string, step) {
		if err := b.Remove(t.Context(), key); err != nil {
			t.Errorf("Remove: %v", err)
		}
		return "Remove", wrote("")
	}
}

func (t *T) recordRead(b storage.Bucket, key string) recorded {
	return func() (string, step) {
		for {
			data, _, err := storage.ReadAll(t.Context(), b, key)
			switch storage.CodeOf(err) {
			case storage.Changed: // between two requests of the read
				continue
			case storage.ObjectNotFound:
			default:
				if err != nil {
					t.Errorf("ReadAll: %v", err)
				}
			}
			return "read " + string(data), saw(string(data))
		}
	}
}
