package s3server

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/s3server/internal/keyname"
)

// expectedNames is the definition of a listing: keys in byte order, rolled up.
func expectedNames(keys []string, l listing, after position) (names []string) {
	for _, key := range keys {
		common, rolled := l.commonPrefix(key)
		switch {
		case !strings.HasPrefix(key, l.prefix) || key <= after.key || after.prefix && strings.HasPrefix(key, after.key):
		case !rolled:
			names = append(names, key)
		case len(names) == 0 || names[len(names)-1] != common+"|":
			names = append(names, common+"|")
		}
	}
	return names
}

// A listedStore is a store with keys.
type listedStore struct {
	driverStore *driverStore
	keys        []string
}

func storeOfKeys(t *testing.T, service storage.ServiceDriver, versioned bool, keys []string) *listedStore {
	t.Helper()
	s := newDriverStore(&Config{Service: service, Credentials: []Credential{{Account: "1"}}, Region: usEast1, Now: time.Now})
	t.Cleanup(s.close)
	b := &bucket{name: "bucket", account: "1", region: usEast1}
	if versioned {
		b.versioning = enabled
	}
	_, err := s.createBucket(t.Context(), b)
	require.NoError(t, err)
	opened, err := s.locate("bucket")
	require.NoError(t, err)
	slices.Sort(keys)
	keys = slices.Compact(keys)
	for _, key := range keys {
		_, err := opened.driver.Put(t.Context(), &storage.PutRequest{Key: keyname.Naming{}.Escape(key), Body: strings.NewReader(""), CRC32C: storage.KnownCRC32C(crc32c.Sum(nil))})
		require.NoError(t, err, "%q", key)
	}
	return &listedStore{s, keys}
}

func (s *listedStore) page(ctx context.Context, l listing, after position) (names []string, more bool, err error) {
	more, err = s.driverStore.list(ctx, "bucket", l, after, func(v *version, common string) {
		if v == nil {
			names = append(names, common+"|")
		} else {
			names = append(names, v.key)
		}
	})
	return names, more, err
}

func (s *listedStore) versionsPage(ctx context.Context, l listing, after versionPosition) (names []string, next versionPosition, more bool, err error) {
	more, err = s.driverStore.listVersions(ctx, "bucket", l, after, func(v *version, _ bool, common string) {
		if v == nil {
			names, next = append(names, common+"|"), versionPosition{key: common}
		} else {
			names, next = append(names, v.key), versionPosition{v.key, v.id}
		}
	})
	return names, next, more, err
}

// check compares listings after one position, in pages, with their definition.
func (s *listedStore) check(t *testing.T, l listing, after string) {
	t.Helper()
	want := expectedNames(s.keys, l, position{key: after})
	about := fmt.Sprintf("prefix %q, delimiter %q, after %q, pages of %d", l.prefix, l.delimiter, after, l.max)
	var got []string
	at := position{key: after}
	for more := true; more; {
		names, hasMore, err := s.page(t.Context(), l, at)
		require.NoError(t, err, about)
		require.LessOrEqual(t, len(names), l.max, about)
		if more = hasMore; more {
			require.Len(t, names, l.max, about)
			last, rolled := strings.CutSuffix(names[len(names)-1], "|")
			at = position{key: last, prefix: rolled}
		}
		got = append(got, names...)
	}
	require.Equal(t, want, got, about)
}

func (s *listedStore) checkVersions(t *testing.T, l listing) {
	t.Helper()
	var got []string
	var at versionPosition
	for more := true; more; {
		names, next, hasMore, err := s.versionsPage(t.Context(), l, at)
		require.NoError(t, err)
		got, at, more = append(got, names...), next, hasMore
	}
	require.Equal(t, expectedNames(s.keys, l, position{}), got, "versions, prefix %q, delimiter %q, pages of %d", l.prefix, l.delimiter, l.max)
}

var hostilePieces = []string{
	"a", "a", "A", "b", "0", "-", " ", "!", "!%", "!&", "!%%", "%", "/", "/", "//", ".", "..", "\n", "\x01", "\x1f", "\x7f", "\\", "~", "^", "=", "+", "@",
	"é", "\uffff", "\ufffe", "\ufffd", "\U0010FFFF", "\xff", "\xc3", ".omnibucket", ".omnibucket%", "%0a", "%0A",
}

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

func TestListingsOfHostileKeysAreInByteOrder(t *testing.T) {
	services := map[string]func(t *testing.T) storage.ServiceDriver{
		"directory": func(t *testing.T) storage.ServiceDriver {
			service, err := local.NewServiceDriver(t.TempDir(), local.ServiceConfig{NoSync: true})
			require.NoError(t, err)
			t.Cleanup(func() { _ = service.Close() })
			return service
		},
		"memory": func(*testing.T) storage.ServiceDriver { return memstore.NewServiceDriver(memstore.ServiceConfig{}) },
		"records": func(*testing.T) storage.ServiceDriver {
			return onlyService{memstore.NewServiceDriver(memstore.ServiceConfig{})}
		},
	}
	for name, service := range services {
		for _, versioned := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", versions: ", versioned), func(t *testing.T) {
				for seed := range uint64(2) {
					random := rand.New(rand.NewPCG(seed, 1))
					keys := []string{"newli\ne.txt", "file.txt", "newli.txt", "zoo", "dir/", "dir/ x", "a//b", "a/b", "/lead", "//", "\x01/a/\x02/b"}
					for range 40 {
						keys = append(keys, hostileKey(random))
					}
					s := storeOfKeys(t, service(t), versioned, keys)
					s.checkAll(t, random, versioned)
				}
			})
		}
	}
}

// onlyService keeps records among the objects.
type onlyService struct{ storage.ServiceDriver }

func (s *listedStore) checkAll(t *testing.T, random *rand.Rand, versioned bool) {
	t.Helper()
	for _, delimiter := range []string{"", "/"} {
		for _, size := range []int{1, 3, 1000} {
			s.check(t, listing{delimiter: delimiter, max: size}, "")
			if versioned {
				s.checkVersions(t, listing{delimiter: delimiter, max: size})
			}
		}
		for range 25 {
			key := s.keys[random.IntN(len(s.keys))]
			prefix := key[:random.IntN(len(key)+1)]
			after := s.keys[random.IntN(len(s.keys))]
			switch random.IntN(4) {
			case 0:
				after = ""
			case 1:
				after = hostileKey(random)
			case 2:
				after = after[:random.IntN(len(after))]
			}
			size := 1 + random.IntN(4)
			s.check(t, listing{delimiter: delimiter, max: size}, after)
			s.check(t, listing{delimiter: delimiter, prefix: prefix, max: size}, after)
			if versioned {
				s.checkVersions(t, listing{delimiter: delimiter, prefix: prefix, max: size})
			}
		}
	}
}
