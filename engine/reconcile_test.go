package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// A put tells what becomes of one request that writes.
type put struct {
	lost     bool // before the store has it
	answered error
	before   string // another client writes this first
}

// scripted is a store that treats its first requests as puts say.
type scripted struct {
	driver.Driver
	puts  []put
	count int
}

func (d *scripted) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	d.count++
	if d.count > len(d.puts) {
		return d.Driver.Put(ctx, r)
	}
	p := d.puts[d.count-1]
	if p.before != "" {
		other := &driver.PutRequest{Key: r.Key, Size: int64(len(p.before)), Body: strings.NewReader(p.before)}
		if _, err := d.Driver.Put(ctx, other); err != nil {
			return nil, err
		}
	}
	if p.lost {
		return nil, p.answered
	}
	a, err := d.Driver.Put(ctx, r)
	if err == nil && p.answered != nil {
		return nil, p.answered
	}
	return a, err
}

// If the response to Upload is lost, Upload sends the request again. If the store refuses the repetition, Upload
// reads the object's write id to learn whether the first request was applied.
func TestReconcileLostResponse(t *testing.T) {
	lost := &storage.Error{Code: storage.Unavailable, Retryable: true, Unknown: true}
	unconditional := func(string) storage.UploadOption { return storage.WithContentType("text/plain") }
	ifAbsent := func(string) storage.UploadOption { return storage.IfAbsent() }
	ifRevision := func(old string) storage.UploadOption { return storage.IfRevision(old) }

	tests := []struct {
		name    string
		opts    func(old string) storage.UploadOption
		updates bool // there is an old object
		puts    []put
		lacks   storage.Features
		blind   bool // the object cannot be read
		want    storage.Code
		unknown bool
		sent    int // requests
		says    string
	}{
		{
			name: "it was not applied, and is repeated",
			opts: ifAbsent,
			puts: []put{{lost: true, answered: lost}},
			sent: 2,
		},
		{
			name: "it was applied, and the repeated one is refused",
			opts: ifAbsent,
			puts: []put{{answered: lost}},
			sent: 2,
		},
		{
			name:    "an update was applied, and the repeated one is refused",
			opts:    ifRevision,
			updates: true,
			puts:    []put{{answered: lost}},
			sent:    2,
		},
		{
			name: "another client was faster",
			opts: ifAbsent,
			puts: []put{{lost: true, answered: lost}, {before: "another's"}},
			want: storage.PreconditionFailed,
			sent: 2,
			says: "the key exists already",
		},
		{
			name:    "an update may have been applied and then replaced",
			opts:    ifRevision,
			updates: true,
			puts:    []put{{lost: true, answered: lost}, {before: "another's"}},
			want:    storage.OutcomeUnknown,
			unknown: true,
			sent:    2,
			says:    "read the object to see what it holds",
		},
		{
			name:    "the store keeps no metadata",
			opts:    ifAbsent,
			puts:    []put{{answered: lost}},
			lacks:   storage.Metadata,
			want:    storage.OutcomeUnknown,
			unknown: true,
			sent:    2,
			says:    "the store keeps no metadata that would tell",
		},
		{
			name:    "the object cannot be read",
			opts:    ifAbsent,
			puts:    []put{{answered: lost}},
			blind:   true,
			want:    storage.OutcomeUnknown,
			unknown: true,
			sent:    2,
		},
		{
			name:    "a gateway refuses by a condition that nobody gave",
			opts:    unconditional,
			puts:    []put{{lost: true, answered: lost}, {lost: true, answered: storage.PreconditionFailed}},
			want:    storage.Unavailable,
			unknown: true,
			sent:    2,
		},
		{
			name: "it was applied, and the repeated one is not permitted",
			opts: ifAbsent,
			puts: []put{{answered: lost}, {lost: true, answered: storage.PermissionDenied}},
			sent: 2,
		},
		{
			name:    "it was not applied, and the repeated one is not permitted",
			opts:    ifAbsent,
			puts:    []put{{lost: true, answered: lost}, {lost: true, answered: storage.PermissionDenied}},
			want:    storage.PermissionDenied,
			unknown: true,
			sent:    2,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := &scripted{Driver: memstore.NewDriver(memstore.Config{})}
			injected := faults.New()
			b := engine.New(d, driver.WithLayer(injected.Layer()), lacking(tt.lacks),
				storage.WithRetry(storage.RetryPolicy{MaxDelay: time.Millisecond}))
			old := ""
			if tt.updates {
				a, err := b.Upload(t.Context(), "k", strings.NewReader("old"))
				require.NoError(t, err)
				old = a.Revision
			}
			if tt.blind {
				injected.Set(faults.Fail(faults.Head).WithError(storage.PermissionDenied))
			}
			d.puts = tt.puts
			d.count = 0

			a, err := b.Upload(t.Context(), "k", strings.NewReader("mine"), tt.opts(old))
			require.Equal(t, tt.sent, d.count)
			require.Equal(t, tt.unknown, errors.Is(err, storage.OutcomeUnknown), "%v", err)
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)

			if tt.want == "" {
				require.Equal(t, int64(4), a.Size)
				return
			}
			require.ErrorContains(t, err, tt.says)
		})
	}
}
