package driverstore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/crc32c"
	_ "github.com/omnibucket/storage/internal/testing/memoryfiles"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/s3server/internal/keyname"
	"github.com/omnibucket/storage/s3server/internal/notification"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// expectedNames returns the names that a listing must show after pos, in byte order. The names are
// keys and common prefixes. Each common prefix comes once, with a bar at its end.
func expectedNames(keys []string, l state.Listing, pos state.Position) (names []string) {
	for _, key := range keys {
		isAfter := key > pos.Key && !(pos.Prefix && strings.HasPrefix(key, pos.Key))
		if !isAfter || !strings.HasPrefix(key, l.Prefix) {
			continue
		}
		name := key
		if common, isCommon := l.CommonPrefix(key); isCommon {
			name = common + "|"
		}
		if len(names) == 0 || names[len(names)-1] != name {
			names = append(names, name)
		}
	}
	return names
}

// A listedStore is a store with keys.
type listedStore struct {
	store *Store
	keys  []string
}

// newStoreOfKeys returns a store whose bucket has objects with these keys, without content.
func newStoreOfKeys(t *testing.T, service driver.ServiceDriver, versioned bool, keys []string) *listedStore {
	t.Helper()
	s := New(Config{Service: service, Account: "1", Region: "us-east-1", Now: time.Now})
	t.Cleanup(s.Close)
	b := &state.Bucket{Name: "bucket", Account: "1", Region: "us-east-1"}
	if versioned {
		b.Versioning = state.Enabled
	}
	_, err := s.CreateBucket(t.Context(), b)
	require.NoError(t, err)
	bucket, err := s.locate("bucket")
	require.NoError(t, err)

	slices.Sort(keys)
	keys = slices.Compact(keys)
	for _, key := range keys {
		_, err := bucket.driver.Put(t.Context(), &driver.PutRequest{
			Key:    keyname.Naming{}.Escape(key),
			Body:   strings.NewReader(""),
			CRC32C: storage.CRC32C{Sum: crc32c.Sum(nil), Known: true},
		})
		require.NoError(t, err, "%q", key)
	}
	return &listedStore{s, keys}
}

// page returns one page of a listing. Common prefixes end with a bar.
func (s *listedStore) page(
	ctx context.Context, l state.Listing, pos state.Position,
) (names []string, more bool, err error) {
	more, err = s.store.List(ctx, "bucket", l, pos, func(v *state.Version, common string) {
		if v == nil {
			names = append(names, common+"|")
		} else {
			names = append(names, v.Key)
		}
	})
	return names, more, err
}

// versionsPage returns one page of a listing of versions, and the position of the next one.
func (s *listedStore) versionsPage(
	ctx context.Context, l state.Listing, pos state.VersionPosition,
) (names []string, next state.VersionPosition, more bool, err error) {
	more, err = s.store.ListVersions(ctx, "bucket", l, pos, func(v *state.Version, _ bool, common string) {
		if v == nil {
			names = append(names, common+"|")
			next = state.VersionPosition{Key: common}
		} else {
			names = append(names, v.Key)
			next = state.VersionPosition{Key: v.Key, ID: v.ID}
		}
	})
	return names, next, more, err
}

// requireListing lists keys in pages after startAfter. It compares the result with the names that a
// listing must have by definition.
func (s *listedStore) requireListing(t *testing.T, l state.Listing, startAfter string) {
	t.Helper()
	want := expectedNames(s.keys, l, state.Position{Key: startAfter})
	about := fmt.Sprintf("prefix %q, delimiter %q, after %q, pages of %d", l.Prefix, l.Delimiter,
		startAfter, l.Max)
	var got []string
	pos := state.Position{Key: startAfter}

	for truncated := true; truncated; {
		names, hasMore, err := s.page(t.Context(), l, pos)
		require.NoError(t, err, about)
		require.LessOrEqual(t, len(names), l.Max, about)
		truncated = hasMore
		if truncated {
			require.Len(t, names, l.Max, about)
			last, rolled := strings.CutSuffix(names[len(names)-1], "|")
			pos = state.Position{Key: last, Prefix: rolled}
		}
		got = append(got, names...)
	}
	require.Equal(t, want, got, about)
}

// requireVersions requires that a listing of versions has all keys.
func (s *listedStore) requireVersions(t *testing.T, l state.Listing) {
	t.Helper()
	var got []string
	var pos state.VersionPosition
	for truncated := true; truncated; {
		names, next, hasMore, err := s.versionsPage(t.Context(), l, pos)
		require.NoError(t, err)
		got = append(got, names...)
		pos = next
		truncated = hasMore
	}
	require.Equal(t, expectedNames(s.keys, l, state.Position{}), got,
		"versions, prefix %q, delimiter %q, pages of %d", l.Prefix, l.Delimiter, l.Max)
}

// countedLists is a driver that records the sizes of the pages that callers request.
type countedLists struct {
	driver.Driver
	limits []int
}

func (c *countedLists) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	c.limits = append(c.limits, r.Limit)
	return c.Driver.List(ctx, r)
}

// The store asks the driver for no more entries than a page needs, because each entry may cost
// time.
func TestListFullPage(t *testing.T) {
	const versioned = false
	var keys []string
	for i := range 3 * pageLimit {
		keys = append(keys, fmt.Sprintf("%04d", i))
	}
	s := newStoreOfKeys(t, memstore.NewServiceDriver(memstore.ServiceConfig{}), versioned, keys)
	bucket, err := s.store.locate("bucket")
	require.NoError(t, err)
	largest := pageOf(bucket.description())

	tests := []struct {
		name       string
		max        int
		wantLimits []int // of the driver's listings
	}{
		// The driver's page has one name more than the store's page. This name shows that another
		// page follows.
		{name: "small page", max: 1, wantLimits: []int{2}},
		{name: "page of the driver", max: largest - 1, wantLimits: []int{largest}},
		// The second listing asks for a few more names than are needed.
		{name: "larger than a page of the driver", max: largest, wantLimits: []int{largest, 1 + pageLimit/10}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Record the limits of the driver's listings.
			counted := &countedLists{Driver: bucket.driver}
			bucket.driver = counted
			defer func() {
				bucket.driver = counted.Driver
			}()

			names, hasMore, err := s.page(t.Context(), state.Listing{Max: tt.max}, state.Position{})
			require.NoError(t, err)
			require.True(t, hasMore)
			require.Equal(t, keys[:tt.max], names)
			require.Equal(t, tt.wantLimits, counted.limits)
		})
	}
}

// countedVersions is a driver that counts the versions that it lists, and the requests for one object.
type countedVersions struct {
	driver.Driver
	listed, heads int
}

func (c *countedVersions) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	c.heads++
	return c.Driver.Head(ctx, r)
}

// Remove reads the attributes of an object only if an event may need them.
func TestDeleteReadsObjectOnlyForEvent(t *testing.T) {
	const versioned = false
	s := newStoreOfKeys(t, memstore.NewServiceDriver(memstore.ServiceConfig{}), versioned, []string{"a", "b"})
	remove := func(key string) state.Removal {
		removal, err := s.store.Remove(t.Context(), &state.RemoveRequest{
			VersionName: state.VersionName{Bucket: "bucket", Key: key},
		})
		require.NoError(t, err)
		return removal
	}

	// Count the requests for the attributes of an object.
	bucket, err := s.store.locate("bucket")
	require.NoError(t, err)
	counted := &countedVersions{Driver: bucket.driver}
	bucket.driver = counted

	// Without notifications, nobody needs to know whether the object existed.
	remove("a")
	require.Zero(t, counted.heads)

	// With notifications, the removal reports whether the object existed. After the first removal
	// above, only "b" exists.
	require.NoError(t, s.store.ChangeBucket(t.Context(), "bucket", func(b *state.Bucket) error {
		b.Notification = &notification.Configuration{}
		return nil
	}))
	require.True(t, remove("a").Missing)
	require.False(t, remove("b").Missing)
}

func (c *countedVersions) ListVersions(
	ctx context.Context, r *driver.ListRequest,
) (*driver.VersionPage, error) {
	page, err := c.Driver.ListVersions(ctx, r)
	if err == nil {
		c.listed += len(page.Entries)
	}
	return page, err
}

// A listing of versions with a delimiter skips the content of each common prefix.
func TestListVersionsPassesOverFolders(t *testing.T) {
	const (
		versioned = true
		maxListed = 30 // of the 200 versions in folders
		smallPage = 10
	)

	// Two folders, one with an empty name, have 100 objects each.
	keys := []string{"x//y", "z"}
	for i := range 100 {
		keys = append(keys, fmt.Sprintf("folder/%02d", i), fmt.Sprintf("//%02d", i))
	}
	s := newStoreOfKeys(t, memstore.NewServiceDriver(memstore.ServiceConfig{}), versioned, keys)

	// Count the versions that the store reads.
	bucket, err := s.store.locate("bucket")
	require.NoError(t, err)
	counted := &countedVersions{Driver: bucket.driver}
	bucket.driver = counted

	// The listing must not read all versions in the folders.
	for _, size := range []int{1, 1000} {
		counted.listed = 0
		s.requireVersions(t, state.Listing{Delimiter: "/", Max: size})
		require.Less(t, counted.listed, maxListed, "pages of %d", size)
	}

	// The lookup of a missing key lists one small page.
	counted.listed = 0
	version, _, err := s.store.Find(t.Context(), state.VersionName{Bucket: "bucket", Key: "f"})
	require.NoError(t, err)
	require.Nil(t, version)
	require.LessOrEqual(t, counted.listed, smallPage)

	// A page that begins within a folder shows the folder only if it has later keys. versionsPage marks a common prefix
	// with "|".
	const largerThanBucket = 9 // the names at the top are fewer
	listing := state.Listing{Delimiter: "/", Max: largerThanBucket}
	names, _, _, err := s.versionsPage(t.Context(), listing, state.VersionPosition{Key: "folder/50"})
	require.NoError(t, err)
	require.Equal(t, []string{"folder/|", "x/|", "z"}, names)
	names, _, _, err = s.versionsPage(t.Context(), listing, state.VersionPosition{Key: "folder/99"})
	require.NoError(t, err)
	require.Equal(t, []string{"x/|", "z"}, names)
}

type plainService struct{ driver.ServiceDriver }

func (s plainService) Driver(name string) (driver.Driver, error) {
	d, err := s.ServiceDriver.Driver(name)
	return plainVersions{d}, err
}

// plainVersions stands for a driver on this machine that another author wrote. Its ListVersions
// accepts only the requests that package engine sends.
type plainVersions struct{ driver.Driver }

func (d plainVersions) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Provider = "another"
	return desc
}

// ListVersions refuses a delimiter and a start, because only this library's own stores support
// them.
func (d plainVersions) ListVersions(ctx context.Context, r *driver.ListRequest) (*driver.VersionPage, error) {
	if r.Delimiter != "" || r.StartAfter != "" {
		return nil, storage.Internal
	}
	return d.Driver.ListVersions(ctx, r)
}

// The store lists versions even over a driver whose ListVersions supports neither a delimiter nor a start.
func TestListVersionsWithoutDelimiterOrStart(t *testing.T) {
	service := plainService{memstore.NewServiceDriver(memstore.ServiceConfig{})}
	s := newStoreOfKeys(t, service, true, []string{"a", "b/1", "b/2", "c"})
	for _, delimiter := range []string{"", "/"} {
		s.requireVersions(t, state.Listing{Delimiter: delimiter, Max: 1})
	}
}

var hostilePieces = []string{
	"a", "a", "A", "b", "0", "-", " ", "!", "!%", "!&", "!%%", "%", "/", "/", "//", ".", "..", "\n", "\x01", "\x1f", "\x7f", "\\", "~", "^", "=", "+", "@",
	"é", "\uffff", "\ufffe", "\ufffd", "\U0010FFFF", "\xff", "\xc3", ".omnibucket", ".omnibucket%", "%0a", "%0A",
}

// hostileKey returns a random key. Its pieces could be mistaken for file names or separators.
func hostileKey(random *rand.Rand) string {
	key := ""
	for range 1 + random.IntN(6) {
		key += hostilePieces[random.IntN(len(hostilePieces))]
	}
	if random.IntN(30) == 0 {
		key += strings.Repeat("x", 300)
	}
	return key
}

// Listings are in byte order, even of keys that look like names of files or like separators.
func TestListHostileKeysInByteOrder(t *testing.T) {
	newDirectory := func(t *testing.T) driver.ServiceDriver {
		service, err := local.NewServiceDriver(t.TempDir(), local.Config{NoSync: true})
		require.NoError(t, err)
		t.Cleanup(func() { _ = service.Close() })
		return service
	}
	newMemory := func(*testing.T) driver.ServiceDriver {
		return memstore.NewServiceDriver(memstore.ServiceConfig{})
	}
	newRecordsAmongObjects := func(*testing.T) driver.ServiceDriver {
		return onlyService{memstore.NewServiceDriver(memstore.ServiceConfig{})}
	}

	tests := []struct {
		name       string
		newService func(t *testing.T) driver.ServiceDriver
		versioned  bool
	}{
		{name: "directory", newService: newDirectory},
		{name: "directory, versions", newService: newDirectory, versioned: true},
		{name: "memory", newService: newMemory},
		{name: "memory, versions", newService: newMemory, versioned: true},
		{name: "records among objects", newService: newRecordsAmongObjects},
		{name: "records among objects, versions", newService: newRecordsAmongObjects, versioned: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for seed := range testserver.Sample(uint64(1), 2) {
				// The bucket has some difficult keys, and random ones.
				keys := []string{
					"newli\ne.txt", "file.txt", "newli.txt", "zoo", "dir/", "dir/ x", "a//b",
					"a/b", "/lead", "//", "\x01/a/\x02/b",
				}
				random := rand.New(rand.NewPCG(seed, 1))
				for range 40 {
					keys = append(keys, hostileKey(random))
				}

				s := newStoreOfKeys(t, tt.newService(t), tt.versioned, keys)
				s.requireListings(t, random, tt.versioned)
			}
		})
	}
}

// onlyService hides the method PrivateDriver of its service. The store therefore keeps its records
// among the objects.
type onlyService struct{ driver.ServiceDriver }

// requireListings requires correct listings with all delimiters, with pages of several sizes, and with random prefixes.
func (s *listedStore) requireListings(t *testing.T, random *rand.Rand, versioned bool) {
	t.Helper()
	for _, delimiter := range []string{"", "/", "a", "!%"} {
		for _, size := range []int{1, 3, 1000} {
			s.requireListing(t, state.Listing{Delimiter: delimiter, Max: size}, "")
			if versioned {
				s.requireVersions(t, state.Listing{Delimiter: delimiter, Max: size})
			}
		}
		for range testserver.Sample(6, 25) {
			key := s.keys[random.IntN(len(s.keys))]
			prefix := key[:random.IntN(len(key)+1)]
			startAfter := s.keys[random.IntN(len(s.keys))]
			switch random.IntN(4) { // in the fourth case, the start is a key of the bucket
			case 0:
				startAfter = ""
			case 1:
				startAfter = hostileKey(random)
			case 2:
				startAfter = startAfter[:random.IntN(len(startAfter))]
			}

			size := 1 + random.IntN(4)
			s.requireListing(t, state.Listing{Delimiter: delimiter, Max: size}, startAfter)
			s.requireListing(t, state.Listing{Delimiter: delimiter, Prefix: prefix, Max: size}, startAfter)

			if versioned {
				s.requireVersions(t, state.Listing{Delimiter: delimiter, Prefix: prefix, Max: size})
			}
		}
	}
}

// A listing of the driver starts only after a possible key, because MinIO refuses other starts. The
// start is cut before the first segment of one or two dots, and before the first invalid character.
func TestListStartsAfterPossibleKey(t *testing.T) {
	tests := []struct{ key, want string }{
		{key: "a/b.", want: "a/b."},
		{key: "..a/.b/...", want: "..a/.b/..."},
		{key: "a/..", want: "a/"},
		{key: "a/./b", want: "a/"},
		{key: "..", want: ""},
		{key: "./a", want: ""},
		{key: "a\x01b", want: "a"},
		{key: "a/\xff", want: "a/"},
	}
	for _, tt := range tests {
		t.Run(strconv.Quote(tt.key), func(t *testing.T) {
			require.Equal(t, tt.want, sendable(tt.key))
		})
	}
}
