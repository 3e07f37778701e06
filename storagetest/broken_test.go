package storagetest_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest"
)

// A suite that cannot fail proves nothing. Each row of brokenLayers breaks one thing, and the cases
// that it names must notice this. The suite runs in a child process, because a failed subtest
// cannot be undone.

const brokenVariable = "STORAGETEST_BROKEN"

// brokenLayers are drivers with bugs that real drivers have.
var brokenLayers = map[string]struct {
	layer driver.Layer
	fails []string // rule/case
}{
	"ignores IfAbsent": {
		func(d driver.Driver) driver.Driver { return &ignoresAbsent{d} },
		[]string{"W5/IfAbsent creates and never overwrites", "W5/exactly one concurrent creator wins"},
	},
	"ignores IfRevision": {
		func(d driver.Driver) driver.Driver { return &ignoresRevision{d} },
		[]string{
			"W5/IfRevision replaces only the revision that was read",
			"W5/exactly one concurrent updater wins",
		},
	},
	"cuts off the last byte of what it stores": {
		func(d driver.Driver) driver.Driver { return &truncates{d} },
		[]string{"W1/an upload stores bytes and attributes"},
	},
	"ends bodies early": {
		func(d driver.Driver) driver.Driver { return &endsEarly{Driver: d} },
		[]string{"W1/an upload stores bytes and attributes", "R3/ranges"},
	},
	"ends large bodies early": {
		func(d driver.Driver) driver.Driver { return &endsEarly{Driver: d, from: 1 << 20} },
		[]string{"R6/an ordered concurrency of 1 is one request"},
	},
	"panics past the end of an object": {
		func(d driver.Driver) driver.Driver { return &panicsPastEnd{d} },
		[]string{"R3/a driver reads ranges", "R3/ranges"},
	},
	"never gets on with a listing": {
		func(d driver.Driver) driver.Driver { return &forgetsTokens{d} },
		[]string{"L1/a driver lists pages in order", "L3/pages add up to the listing"},
	},
	"sorts like a directory tree": {
		func(d driver.Driver) driver.Driver { return &sortsBySegments{d} },
		[]string{"K4/keys are in byte order"},
	},
	"answers Head from a cache": {
		func(d driver.Driver) driver.Driver { return &remembers{Driver: d} },
		[]string{"W1/a driver shows what was written last"},
	},
	"reports a failed body as a success": {
		func(d driver.Driver) driver.Driver { return &hidesFailures{d} },
		[]string{"W11/a driver stores nothing if the body fails"},
	},
	"stores the bytes before a failure": {
		func(d driver.Driver) driver.Driver { return &storesHalf{d} },
		[]string{
			"W1/a failed overwrite leaves the old object",
			"W11/a driver stores nothing if the body fails",
		},
	},
	"ignores the revision of a read": {
		func(d driver.Driver) driver.Driver { return &readsAny{d} },
		[]string{"R4/conditional reads"},
	},
	"ignores the condition of a removal": {
		func(d driver.Driver) driver.Driver { return &removesAny{d} },
		[]string{"D1/IfRevision guards Remove"},
	},
	"returns no revision": {
		func(d driver.Driver) driver.Driver { return &namesNoRevision{d} },
		[]string{"V1/revisions change with the content", "W1/a driver's Put reads the body to its end"},
	},
	"lists out of order": {
		func(d driver.Driver) driver.Driver { return &listsBackwards{d} },
		[]string{"K4/keys are in byte order"},
	},
	"forgets the end of a listing": {
		func(d driver.Driver) driver.Driver { return &forgetsPages{d} },
		[]string{"K4/keys are in byte order", "L3/pages add up to the listing"},
	},
	"takes a missing object for a missing bucket": {
		func(d driver.Driver) driver.Driver {
			return &misnames{d, storage.ObjectNotFound, storage.BucketNotFound}
		},
		[]string{"E2/a missing object is not a missing bucket"},
	},
	"fails to remove what is not there": {
		func(d driver.Driver) driver.Driver { return &removesStrictly{d} },
		[]string{"D1/removing a missing object succeeds"},
	},
	"forgets metadata": {
		func(d driver.Driver) driver.Driver { return &forgetsMetadata{d} },
		[]string{"W8/metadata comes back as it was given"},
	},
	"drops a content type": {
		func(d driver.Driver) driver.Driver { return &dropsType{d} },
		[]string{"W9/the content type is detected"},
	},
	"removes the tree": {
		func(d driver.Driver) driver.Driver { return &removesTree{d} },
		[]string{"D1/removing one object leaves its neighbours", "K3/a key and keys below it coexist"},
	},
	"declares a feature that it lacks": {
		func(d driver.Driver) driver.Driver { return &boasts{d} },
		[]string{"S3/a signed download works as returned, for a key with a space"},
	},
}

// The suite fails for each store that breaks a rule, and prints the rule.
func TestSuiteNotices(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the suite in processes of their own")
	}
	for name, broken := range brokenLayers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			output := runBroken(t, name, broken.fails)

			// Each case that must fail is named by its rule and its title, as in "R3/a driver reads ranges".
			for _, want := range broken.fails {
				rule, _, _ := strings.Cut(want, "/")
				subtest := regexp.QuoteMeta(strings.ReplaceAll(want, " ", "_"))
				require.Regexp(t, `--- FAIL: TestBrokenChild/cases/`+subtest, output)
				require.Contains(t, output, "rule "+rule+": ", "a failure must print the rule")

				// If a case calls the driver itself, the end of the output lists it among those to
				// mend first.
				callsDriver := strings.Contains(want, "a driver")
				if callsDriver {
					require.Regexp(t, `mend these first(?s:.*)`+regexp.QuoteMeta(want), output)
				}
			}
			require.NotRegexp(t, `(?m)^panic: `, output, "a broken driver must not end the suite")
		})
	}
}

// runBroken runs the named cases with one broken layer in a child process. It returns the output.
func runBroken(t *testing.T, name string, cases []string) string {
	t.Helper()
	var rules, names []string
	for _, c := range cases {
		rule, name, _ := strings.Cut(c, "/")
		rules = append(rules, regexp.QuoteMeta(rule))
		names = append(names, regexp.QuoteMeta(strings.ReplaceAll(name, " ", "_")))
	}
	selected := "^TestBrokenChild$/^cases$/^(" + strings.Join(rules, "|") + ")$/^(" + strings.Join(names, "|") + ")$"
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run", selected, "-test.timeout", "60s")
	child.Env = append(os.Environ(), brokenVariable+"="+name, "OMNIBUCKET_SUPPORT=")

	output, err := child.CombinedOutput()
	require.Error(t, err, "%s", output)
	return string(output)
}

// If Skip names a case that does not exist, the suite fails.
func TestSkippingAnUnknownCaseFails(t *testing.T) {
	output := runBroken(t, unknownWithout, []string{"R3/ranges"})
	require.Contains(t, output, "Skip names no case")
	require.Contains(t, output, "no such case")
}

const unknownWithout = "unknown Without"

// TestBrokenChild runs the suite on a broken store, in the child process that runBroken starts.
// Otherwise it does nothing.
func TestBrokenChild(t *testing.T) {
	if os.Getenv(brokenVariable) == unknownWithout {
		storagetest.Run(t, newMemory, storagetest.Skip("no such case", "to see it fail"))
	}
	broken, isChild := brokenLayers[os.Getenv(brokenVariable)]
	if !isChild {
		return
	}
	storagetest.RunDriver(t, func(*testing.T) driver.Driver {
		return broken.layer(memstore.NewDriver(memstore.Config{}))
	})
}

// The driver ignoresAbsent overwrites an object in spite of IfAbsent.
type ignoresAbsent struct{ driver.Driver }

// Put overwrites an object in spite of IfAbsent.
func (d *ignoresAbsent) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	r.Condition.Absent = false
	return d.Driver.Put(ctx, r)
}

// CompleteParts overwrites an object in spite of IfAbsent.
func (d *ignoresAbsent) CompleteParts(
	ctx context.Context, r *driver.CompleteRequest,
) (*storage.Attrs, error) {
	r.Put.Condition.Absent = false
	return d.Driver.CompleteParts(ctx, r)
}

// The driver ignoresRevision overwrites an object in spite of IfRevision.
type ignoresRevision struct{ driver.Driver }

// Put overwrites an object in spite of IfRevision.
func (d *ignoresRevision) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	r.Condition.Revision = ""
	return d.Driver.Put(ctx, r)
}

// truncates is a driver that stores each object without its last byte.
type truncates struct{ driver.Driver }

// Put stores each object without its last byte.
func (d *truncates) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	length := max(0, len(data)-1)
	shorter := *r
	shorter.Body = bytes.NewReader(data[:length])
	shorter.Size = int64(length)
	shorter.CRC32C = storage.CRC32C{}
	return d.Driver.Put(ctx, &shorter)
}

// The driver endsEarly ends the bodies of large objects early, without an error.
type endsEarly struct {
	driver.Driver
	from int64 // bytes of the objects that are cut off
}

// Get ends the bodies of large objects early, without an error.
func (d *endsEarly) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	attrs, body, err := d.Driver.Get(ctx, r)
	if err != nil || attrs.Size < d.from {
		return attrs, body, err
	}
	return attrs, struct {
		io.Reader
		io.Closer
	}{io.LimitReader(body, d.from), body}, nil
}

// The driver panicsPastEnd panics if a read reaches past the end of an object.
type panicsPastEnd struct{ driver.Driver }

// Get panics if a read reaches past the end of an object.
func (d *panicsPastEnd) Get(
	ctx context.Context, r *driver.GetRequest,
) (*storage.Attrs, io.ReadCloser, error) {
	attrs, body, err := d.Driver.Get(ctx, r)
	beginsPastEnd := storage.CodeOf(err) == storage.RangeNotSatisfiable
	endsPastEnd := err == nil && r.Offset+r.Length > attrs.Size
	if beginsPastEnd || endsPastEnd {
		panic("slice bounds out of range")
	}
	return attrs, body, err
}

// The driver forgetsTokens begins each page of a listing at the start.
type forgetsTokens struct{ driver.Driver }

// List begins each page of a listing at the start.
func (d *forgetsTokens) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	fromStart := *r
	fromStart.Token = ""
	return d.Driver.List(ctx, &fromStart)
}

// The driver sortsBySegments lists a page in the order of a directory tree.
type sortsBySegments struct{ driver.Driver }

// List lists a page in the order of a directory tree.
func (d *sortsBySegments) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	page, err := d.Driver.List(ctx, r)
	if err == nil {
		slices.SortFunc(page.Entries, func(a, b storage.ListEntry) int {
			return slices.Compare(strings.Split(a.Key, "/"), strings.Split(b.Key, "/"))
		})
	}
	return page, err
}

// remembers is a driver whose Head returns attributes that it has returned before.
type remembers struct {
	driver.Driver
	seen sync.Map
}

// Head returns attributes that it has returned before, even if the object was replaced.
func (d *remembers) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	if value, ok := d.seen.Load(r.Key); ok {
		attrs := value.(storage.Attrs)
		return &attrs, nil
	}
	attrs, err := d.Driver.Head(ctx, r)
	if err == nil {
		d.seen.Store(r.Key, *attrs)
	}
	return attrs, err
}

// The driver hidesFailures reports failed writes as successful.
type hidesFailures struct{ driver.Driver }

// Put reports failed writes as successful.
func (d *hidesFailures) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	attrs, err := d.Driver.Put(ctx, r)
	if err != nil && storage.CodeOf(err) != storage.PreconditionFailed {
		return &storage.Attrs{Revision: "1", ETag: `"1"`}, nil
	}
	return attrs, err
}

// The driver storesHalf stores the bytes that came before a body failed.
type storesHalf struct{ driver.Driver }

// Put stores the bytes that came before a body failed.
func (d *storesHalf) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	data, bodyErr := io.ReadAll(r.Body)
	shorter := *r
	shorter.Body = bytes.NewReader(data)
	shorter.Size = int64(len(data))
	shorter.CRC32C = storage.CRC32C{}
	attrs, err := d.Driver.Put(ctx, &shorter)
	if bodyErr != nil {
		return nil, bodyErr
	}
	return attrs, err
}

// The driver readsAny reads an object in spite of a condition.
type readsAny struct{ driver.Driver }

// Get reads an object in spite of a condition.
func (d *readsAny) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	latest := *r
	latest.Condition = storage.Condition{}
	return d.Driver.Get(ctx, &latest)
}

// The driver removesAny removes an object in spite of a condition.
type removesAny struct{ driver.Driver }

// Delete removes an object in spite of a condition.
func (d *removesAny) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	return d.Driver.Delete(ctx, &driver.DeleteRequest{Key: r.Key})
}

// The driver namesNoRevision returns no revision after a write.
type namesNoRevision struct{ driver.Driver }

// Put returns no revision of the object that it has stored.
func (d *namesNoRevision) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	attrs, err := d.Driver.Put(ctx, r)
	if err == nil {
		attrs.Revision = ""
	}
	return attrs, err
}

// The driver listsBackwards lists a page in reverse order.
type listsBackwards struct{ driver.Driver }

// List lists a page in reverse order.
func (d *listsBackwards) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	page, err := d.Driver.List(ctx, r)
	if err == nil {
		slices.Reverse(page.Entries)
	}
	return page, err
}

// The driver forgetsPages lists only one page.
type forgetsPages struct{ driver.Driver }

// List lists only one page.
func (d *forgetsPages) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	page, err := d.Driver.List(ctx, r)
	if err == nil {
		page.Token = ""
	}
	return page, err
}

// misnames is a driver that returns one error code in place of another.
type misnames struct {
	driver.Driver
	code, by storage.Code
}

// Head returns one error code in place of another.
func (d *misnames) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	attrs, err := d.Driver.Head(ctx, r)
	if storage.CodeOf(err) == d.code {
		err = d.by
	}
	return attrs, err
}

// The driver removesStrictly fails to remove an object that does not exist.
type removesStrictly struct{ driver.Driver }

// Delete returns an error if the object does not exist.
func (d *removesStrictly) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	if _, err := d.Head(ctx, &driver.GetRequest{Key: r.Key, Length: -1}); err != nil {
		return storage.PermissionDenied
	}
	return d.Driver.Delete(ctx, r)
}

// The driver forgetsMetadata stores no metadata.
type forgetsMetadata struct{ driver.Driver }

// Put stores no metadata.
func (d *forgetsMetadata) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	r.Metadata = nil
	return d.Driver.Put(ctx, r)
}

// The driver dropsType stores no content type.
type dropsType struct{ driver.Driver }

// Put stores no content type.
func (d *dropsType) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	r.ContentType = "application/octet-stream"
	return d.Driver.Put(ctx, r)
}

// The driver removesTree also removes what is in a folder with the name of the object.
type removesTree struct{ driver.Driver }

// Delete also removes what is in a folder with the name of the object.
func (d *removesTree) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	page, err := d.List(ctx, &driver.ListRequest{Prefix: r.Key + "/", Limit: 100})
	if err != nil {
		return err
	}
	for _, entry := range page.Entries {
		_ = d.Driver.Delete(ctx, &driver.DeleteRequest{Key: entry.Key})
	}
	return d.Driver.Delete(ctx, r)
}

// boasts is a driver that declares signed URLs, although it cannot sign.
type boasts struct{ driver.Driver }

// Describe declares signed URLs, although the driver cannot sign.
func (d *boasts) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Features = desc.Features | storage.SignedURLs
	desc.NeedsSigningBase = false
	return desc
}
