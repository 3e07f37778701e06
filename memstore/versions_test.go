package memstore_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
)

// listVersions returns all versions of the bucket, page by page, as "key:content". Current
// objects are in brackets.
func listVersions(t *testing.T, d driver.Driver, r driver.ListRequest, limit int) []string {
	t.Helper()
	var names []string
	r.Limit = limit
	for {
		page, err := d.ListVersions(t.Context(), &r)
		require.NoError(t, err)

		for _, e := range page.Entries {
			text := e.Key
			if e.IsDeleteMarker {
				_, err := d.Head(t.Context(), &driver.GetRequest{Key: e.Key, Version: e.Version, Length: -1})
				require.ErrorIs(t, err, storage.ObjectNotFound)
				text += " removed"
			} else if !e.IsPrefix {
				require.Equal(t, e.Revision, e.Version)
				text += ":" + get(t, d, e.Key, e.Version)
			}
			if e.Current {
				text = "[" + text + "]"
			}
			names = append(names, text)
		}

		if page.Token == "" {
			return names
		}
		require.Len(t, page.Entries, limit, "only the last page is shorter")

		r.Token = page.Token
		r.StartAfter = ""
	}
}

// Overwrites and removals keep the old versions, and a copy of a version restores it.
func TestVersionsAreKept(t *testing.T) {
	const pageSize = 9 // more than this test has versions

	// The second object makes the first one a noncurrent version. In a listing, the current object is in brackets.
	d := newVersionedDriver()
	first := put(t, d, "k", "1")
	put(t, d, "k", "2")
	require.NotEmpty(t, first.Version)
	require.Equal(t, "1", get(t, d, "k", first.Version))
	require.Equal(t, []string{"[k:2]", "k:1"}, listVersions(t, d, driver.ListRequest{}, pageSize))

	// The removal adds a delete marker, and keeps both versions.
	remove(t, d, "k", "")
	_, err := head(d, "k")
	require.ErrorIs(t, err, storage.ObjectNotFound)
	require.Empty(t, listKeys(t, d))
	require.Equal(t, []string{"k removed", "k:2", "k:1"}, listVersions(t, d, driver.ListRequest{}, pageSize))

	// Restore the first version. The condition holds, because there is no current object.
	source := d.Locate("k")
	source.Version = first.Version
	_, err = d.Copy(t.Context(),
		&driver.CopyRequest{Source: source, Key: "k", Condition: storage.Condition{Absent: true}})
	require.NoError(t, err)
	require.Equal(t, []string{"[k:1]", "k removed", "k:2", "k:1"},
		listVersions(t, d, driver.ListRequest{}, pageSize))
}

// Delete with a version removes that version permanently.
func TestVersionsAreRemovedPermanently(t *testing.T) {
	// The key "k" first has the versions 1, 2 and 3, whose contents are their numbers.
	const (
		first  = "memory:1"
		second = "memory:2"
		third  = "memory:3"

		ofAnotherKey = "memory:4"
		missing      = "memory:9"

		// Without a version, Delete adds a delete marker, which is a version, too.
		noVersion    = ""
		firstMarker  = "memory:5"
		secondMarker = "memory:6"
	)
	tests := []struct {
		name     string
		remove   []string // versions of "k", one after another
		wantLeft []string // "key:content", in brackets for the current object; "k removed" is a delete marker
	}{
		{
			name:     "the current one, which the newest noncurrent one replaces",
			remove:   []string{third},
			wantLeft: []string{"[k:2]", "k:1"},
		},
		{
			name:     "a noncurrent one",
			remove:   []string{second},
			wantLeft: []string{"[k:3]", "k:1"},
		},
		{
			name:     "the oldest",
			remove:   []string{first},
			wantLeft: []string{"[k:3]", "k:2"},
		},
		{
			name:     "all, the current one first",
			remove:   []string{third, second, first},
			wantLeft: nil,
		},
		{
			name:     "all, the current one last",
			remove:   []string{first, second, third},
			wantLeft: nil,
		},
		{
			name:     "a missing one",
			remove:   []string{missing},
			wantLeft: []string{"[k:3]", "k:2", "k:1"},
		},
		{
			name:     "twice",
			remove:   []string{third, third},
			wantLeft: []string{"[k:2]", "k:1"},
		},
		{
			name:     "the newest after a removal",
			remove:   []string{noVersion, third},
			wantLeft: []string{"k removed", "k:2", "k:1"},
		},
		{
			name:     "a marker",
			remove:   []string{noVersion, firstMarker},
			wantLeft: []string{"[k:3]", "k:2", "k:1"},
		},
		{
			name:     "a marker below another",
			remove:   []string{noVersion, noVersion, firstMarker},
			wantLeft: []string{"k removed", "k:3", "k:2", "k:1"},
		},
		{
			name:     "both markers",
			remove:   []string{noVersion, noVersion, secondMarker, firstMarker},
			wantLeft: []string{"[k:3]", "k:2", "k:1"},
		},
		{
			name:     "a marker and what it hides",
			remove:   []string{noVersion, third, firstMarker},
			wantLeft: []string{"[k:2]", "k:1"},
		},
		{
			name:     "all but the marker",
			remove:   []string{noVersion, third, second, first},
			wantLeft: []string{"k removed"},
		},
		{
			name:     "another key's",
			remove:   []string{ofAnotherKey},
			wantLeft: []string{"[k:3]", "k:2", "k:1"},
		},
		{
			name:     "one after its neighbour was removed",
			remove:   []string{second, third},
			wantLeft: []string{"[k:1]"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newVersionedDriver()
			for _, content := range []string{"1", "2", "3"} {
				require.Equal(t, "memory:"+content, put(t, d, "k", content).Version)
			}
			put(t, d, "kk", "4")

			for _, version := range tt.remove {
				remove(t, d, "k", version)
			}

			require.Equal(t, append(tt.wantLeft, "[kk:4]"), listVersions(t, d, driver.ListRequest{}, 9))
		})
	}
}

// Head, Get and Delete fail with InvalidArgument if the version is malformed.
func TestVersionsThatAreMalformed(t *testing.T) {
	d := newVersionedDriver()
	put(t, d, "k", "1")

	malformed := []string{
		"null",
		"1",
		"s3:1",
		"memory:",
		"memory:0",
		"memory:01",
		"memory:+1",
		"memory:-1",
		"memory: 1",
		"memory:1 ",
		"memory:0x1",
		"memory:1_0",
		"memory:18446744073709551616", // more than 64 bits
		`"00000000-memory:1"`,         // an ETag
	}
	for _, version := range malformed {
		t.Run(version, func(t *testing.T) {
			_, err := d.Head(t.Context(), &driver.GetRequest{Key: "k", Version: version, Length: -1})
			require.ErrorIs(t, err, storage.InvalidArgument)
			_, _, err = d.Get(t.Context(), &driver.GetRequest{Key: "k", Version: version, Length: -1})
			require.ErrorIs(t, err, storage.InvalidArgument)
			err = d.Delete(t.Context(), &driver.DeleteRequest{Key: "k", Version: version})
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}

// Head fails with ObjectNotFound for a version that is well-formed but does not exist.
func TestVersionsThatAreMissing(t *testing.T) {
	d := newVersionedDriver()
	put(t, d, "k", "1")
	_, err := d.Head(t.Context(), &driver.GetRequest{Key: "k", Version: "memory:9", Length: -1})
	require.ErrorIs(t, err, storage.ObjectNotFound)
}

// A call with a version compares its condition with that version, and not with the current object.
func TestVersionsHaveConditions(t *testing.T) {
	d := newVersionedDriver()
	old := put(t, d, "k", "1")
	current := put(t, d, "k", "2")
	ifOld := storage.Condition{Revision: old.Revision}
	ifCurrent := storage.Condition{Revision: current.Revision}

	// Head of the old version compares the condition with the old version.
	_, err := d.Head(t.Context(), &driver.GetRequest{Key: "k", Version: old.Version, Condition: ifOld})
	require.NoError(t, err)
	_, err = d.Head(t.Context(), &driver.GetRequest{Key: "k", Version: old.Version, Condition: ifCurrent})
	require.ErrorIs(t, err, storage.PreconditionFailed)

	// So does Delete.
	err = d.Delete(t.Context(), &driver.DeleteRequest{Key: "k", Version: old.Version, Condition: ifCurrent})
	require.ErrorIs(t, err, storage.PreconditionFailed)
}

// After versions are turned on, an object that was there before becomes a version when it is overwritten.
func TestVersionsAreTurnedOnLater(t *testing.T) {
	// Without versions, an object that is overwritten is gone.
	d := newDriver()
	put(t, d, "overwritten", "1")
	require.Empty(t, put(t, d, "k", "1").Version)
	put(t, d, "overwritten", "2")
	require.False(t, d.Describe().Versioned)

	// With versions, the current object has its revision as its version.
	d.Describe().EnableVersions()
	require.True(t, d.Describe().Versioned)
	current, err := head(d, "k")
	require.NoError(t, err)
	require.Equal(t, current.Revision, current.Version)

	// If it is overwritten, it stays as a noncurrent version. In a listing, current objects are in brackets.
	const pageSize = 9 // more than this test has versions
	put(t, d, "k", "2")
	require.Equal(t, []string{"[k:2]", "k:1", "[overwritten:2]"}, listVersions(t, d, driver.ListRequest{}, pageSize))
}

// After versions are turned off again, a write replaces the current object, and the noncurrent versions stay.
func TestVersionsAreTurnedOffAgain(t *testing.T) {
	s := memstore.NewServiceDriver(memstore.ServiceConfig{})
	d := createBucket(t, s, "bucket")
	d.Describe().EnableVersions()
	put(t, d, "k", "1")
	put(t, d, "k", "2")

	// Turn versions off.
	versionsOff := &driver.BucketRequest{Name: "bucket", Versioning: pointerTo(false)}
	_, err := s.UpdateBucket(t.Context(), versionsOff)
	require.NoError(t, err)
	require.False(t, d.Describe().Versioned)

	// The third object has no version. It replaces the second one, so only the first one is noncurrent.
	require.Empty(t, put(t, d, "k", "3").Version)
	page, err := d.ListVersions(t.Context(), &driver.ListRequest{Limit: 9})
	require.NoError(t, err)
	require.Len(t, page.Entries, 2)
	current := page.Entries[0]
	noncurrent := page.Entries[1]
	require.True(t, current.Current)
	require.Empty(t, current.Version)
	require.Equal(t, "memory:1", noncurrent.Version)

	// The noncurrent version can still be read.
	old, err := d.Head(t.Context(), &driver.GetRequest{Key: "k", Version: "memory:1", Length: -1})
	require.NoError(t, err)
	require.Equal(t, "memory:1", old.Version)
}

// ListVersions lists the same entries in pages of any size.
func TestListVersionsPages(t *testing.T) {
	// The contents are numbered in the order of the writes.
	d := newVersionedDriver()
	put(t, d, "a", "1")
	put(t, d, "a", "2")
	put(t, d, "b/x", "3")
	put(t, d, "b/x", "4")
	put(t, d, "b/y", "5")
	put(t, d, "c", "6")
	remove(t, d, "c", "")
	put(t, d, "c/d", "7")

	tests := map[string]struct {
		request driver.ListRequest
		want    []string // "key:content", in brackets for the current object; "c removed" is a delete marker
	}{
		"everything": {
			request: driver.ListRequest{},
			want:    []string{"[a:2]", "a:1", "[b/x:4]", "b/x:3", "[b/y:5]", "c removed", "c:6", "[c/d:7]"},
		},
		"a prefix": {
			request: driver.ListRequest{Prefix: "b/"},
			want:    []string{"[b/x:4]", "b/x:3", "[b/y:5]"},
		},
		"after a key": {
			request: driver.ListRequest{StartAfter: "a"},
			want:    []string{"[b/x:4]", "b/x:3", "[b/y:5]", "c removed", "c:6", "[c/d:7]"},
		},
		"a delimiter": {
			request: driver.ListRequest{Delimiter: "/"},
			want:    []string{"[a:2]", "a:1", "b/", "c removed", "c:6", "c/"},
		},
		"after a prefix": {
			request: driver.ListRequest{Delimiter: "/", StartAfter: "b/"},
			want:    []string{"c removed", "c:6", "c/"},
		},
		"a key as a prefix": {
			request: driver.ListRequest{Prefix: "c"},
			want:    []string{"c removed", "c:6", "[c/d:7]"},
		},
		"nothing": {request: driver.ListRequest{Prefix: "d"}, want: nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			const maxEntries = 8
			for pageSize := 1; pageSize <= maxEntries; pageSize++ {
				require.Equal(t, tt.want, listVersions(t, d, tt.request, pageSize), "in pages of %d", pageSize)
			}
		})
	}
}

// A modelVersion is a version of an object in the model of TestVersionsAgreeWithModel.
type modelVersion struct {
	id      string
	content string // "" for a delete marker
}

// listModelVersions lists the versions of a key as listVersions does: the newest first, and the current object in
// brackets. The argument has the oldest version first.
func listModelVersions(key string, versions []modelVersion) []string {
	var texts []string
	newest := len(versions) - 1
	for i, version := range slices.Backward(versions) {
		text := key + ":" + version.content
		if version.content == "" {
			text = key + " removed"
		} else if i == newest {
			text = "[" + text + "]"
		}
		texts = append(texts, text)
	}
	return texts
}

// Random calls with versions have the same results as a simple model, which keeps a list of versions for each key.
func TestVersionsAgreeWithModel(t *testing.T) {
	const rounds = 100
	const steps = 40
	const keys = 4
	random := rand.New(rand.NewPCG(3, 4))

	for range rounds {
		// Make the same random calls of the driver and of the model.
		d := newVersionedDriver()
		model := map[string][]modelVersion{} // by key, the oldest version first
		for step := range steps {
			key := fmt.Sprint("k", random.IntN(keys))
			versions := model[key]
			switch random.IntN(4) {
			case 0: // remove the current object
				remove(t, d, key, "")
				// The version of the marker is its revision. Each step writes one revision, and the first one is 1.
				marker := modelVersion{id: fmt.Sprint("memory:", step+1)}
				model[key] = append(versions, marker)
			case 1: // remove a version, if the key has one
				put(t, d, "other", "x") // so that this step writes one revision, too
				if len(versions) > 0 {
					index := random.IntN(len(versions))
					remove(t, d, key, versions[index].id)
					model[key] = slices.Delete(versions, index, index+1)
				}
			default: // write an object
				content := fmt.Sprint(step)
				attrs := put(t, d, key, content)
				model[key] = append(versions, modelVersion{id: attrs.Version, content: content})
			}
		}

		// Compare the listings. The pages have a random size.
		var want []string
		for number := range keys {
			key := fmt.Sprint("k", number)
			want = append(want, listModelVersions(key, model[key])...)
		}
		pageSize := 1 + random.IntN(5)
		require.Equal(t, want, listVersions(t, d, driver.ListRequest{Prefix: "k"}, pageSize))
	}
}

// The listing of versions tells since when a version is noncurrent.
func TestVersionsNoncurrentSince(t *testing.T) {
	const none = 0 // in place of a day, for a current object or a delete marker
	mayDay := func(day int) time.Time { return time.Date(2026, time.May, day, 12, 0, 0, 0, time.UTC) }
	today := mayDay(1)
	d := memstore.NewDriver(memstore.Config{Versioned: true, Now: func() time.Time { return today }})

	// noncurrentSince returns the day of May since which each version is noncurrent. The newest version is the first.
	noncurrentSince := func() (days []int) {
		page, err := d.ListVersions(t.Context(), &driver.ListRequest{Limit: 10})
		require.NoError(t, err)
		for _, entry := range page.Entries {
			require.Equal(t, entry.Current || entry.IsDeleteMarker, entry.NoncurrentSince.IsZero())
			day := none
			if !entry.NoncurrentSince.IsZero() {
				day = entry.NoncurrentSince.Day()
			}
			days = append(days, day)
		}
		return days
	}

	// A version is noncurrent since the day of the write that replaced it.
	put(t, d, "k", "1")
	today = mayDay(2)
	put(t, d, "k", "2")
	today = mayDay(3)
	remove(t, d, "k", "")
	require.Equal(t, []int{none, 3, 2}, noncurrentSince(), "a marker and two versions")

	// Later markers and objects change nothing about these versions.
	today = mayDay(4)
	remove(t, d, "k", "")
	require.Equal(t, []int{none, none, 3, 2}, noncurrentSince(), "two markers and two versions")
	put(t, d, "k", "3")
	require.Equal(t, []int{none, none, none, 3, 2}, noncurrentSince(), "an object, two markers and two versions")
}
