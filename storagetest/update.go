package storagetest

import (
	"strconv"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/storagetest/faults"
)

var updateCases = []Case{
	{
		Name: "an update whose outcome is unknown is not repeated", Rule: "W7",
		Explanation: "if nothing shows that the write took effect or did not, Update fails with OutcomeUnknown: change is not called again, which would count twice",
		Needs:       storage.ConditionalCreate | storage.ConditionalUpdate | storage.Metadata,
		run: func(t *T) {
			b := t.open()
			t.put(b, "counter", "1")
			t.faults.Set(faults.DropResponse(faults.Put), faults.Fail(faults.Head))
			_, err := storage.Update(t.Context(), b, "counter", increment)
			t.faults.Set()
			require.ErrorIs(t, err, storage.OutcomeUnknown)
			t.requireContent(b, "counter", "2")
		},
	},
	{
		Name: "concurrent updates are all counted", Rule: "W5",
		Explanation: "Update is a compare-and-swap: it loses no increment, beginning with a missing key",
		Needs:       storage.ConditionalCreate | storage.ConditionalUpdate,
		run: func(t *T) {
			const workers, each = 4, 5
			b := t.open()
			var all sync.WaitGroup
			for range workers {
				all.Go(func() {
					for done := 0; done < each; {
						_, err := storage.Update(t.Context(), b, "counter", increment)
						switch storage.CodeOf(err) {
						case "":
							done++
						case storage.PreconditionFailed: // outrun too often, but reported
						default:
							t.Errorf("update: %v", err)
							return
						}
					}
				})
			}
			all.Wait()
			t.requireContent(b, "counter", strconv.Itoa(workers*each))
		},
	},
	{
		Name: "an update sees the current object and can abort", Rule: "W5",
		Explanation: "change gets nil, nil for a missing object; its error ends the update and stores nothing",
		Needs:       storage.ConditionalCreate | storage.ConditionalUpdate,
		run: func(t *T) {
			b := t.open()
			_, err := storage.Update(t.Context(), b, "a", func(old []byte, attrs *storage.Attrs) ([]byte, error) {
				require.Nil(t, old)
				require.Nil(t, attrs)
				return nil, errBoom
			})
			require.ErrorIs(t, err, errBoom)
			t.requireMissing(b, "a")
			first, err := storage.Update(t.Context(), b, "a", func([]byte, *storage.Attrs) ([]byte, error) { return []byte("one"), nil },
				t.contentType("text/x-test"))
			require.NoError(t, err)
			_, err = storage.Update(t.Context(), b, "a", func(old []byte, attrs *storage.Attrs) ([]byte, error) {
				require.Equal(t, "one", string(old))
				require.Equal(t, first.Revision, attrs.Revision)
				require.Equal(t, t.keptType("text/x-test"), attrs.ContentType)
				return append(old, " two"...), nil
			})
			require.NoError(t, err)
			t.requireContent(b, "a", "one two")
		},
	},
	{
		Name: "an update whose responses are lost counts once", Rule: "W7",
		Explanation: "a lost response is reconciled, so that no increment is applied twice",
		Needs:       storage.ConditionalCreate | storage.ConditionalUpdate | storage.Metadata,
		run: func(t *T) {
			b := t.open()
			for range 3 {
				t.faults.Set(faults.DropResponse(faults.Put).Nth(1))
				_, err := storage.Update(t.Context(), b, "counter", increment)
				require.NoError(t, err)
			}
			t.faults.Set()
			t.requireContent(b, "counter", "3")
		},
	},
	{
		Name: "an update takes no condition", Rule: "W5",
		Explanation: "the condition is Update's own, and another one is InvalidArgument",
		Needs:       storage.ConditionalCreate | storage.ConditionalUpdate,
		run: func(t *T) {
			b := t.open()
			_, err := storage.Update(t.Context(), b, "a", increment, storage.IfAbsent())
			t.requireNothingDone(err, storage.InvalidArgument)
			t.requireMissing(b, "a")
		},
	},
}

func increment(old []byte, _ *storage.Attrs) ([]byte, error) {
	n, _ := strconv.Atoi(string(old))
	return []byte(strconv.Itoa(n + 1)), nil
}
