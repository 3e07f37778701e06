package memory

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server/internal/state"
)

// listAll returns what all pages of a listing show together.
func listAll(t *testing.T, s *Store, l state.Listing) (all []string) {
	t.Helper()
	var pos state.Position
	for hasMore := true; hasMore; {
		var err error
		hasMore, err = s.List(t.Context(), "photos", l, pos, func(v *state.Version, common string) {
			pos = state.Position{Key: common, Prefix: true}
			if v != nil {
				pos = state.Position{Key: v.Key}
			}
			all = append(all, pos.Key)
		})
		require.NoError(t, err)
	}
	return all
}

// listAllVersions does the same as listAll, but for versions and delete markers.
func listAllVersions(t *testing.T, s *Store, l state.Listing) (all []string) {
	t.Helper()
	var pos state.VersionPosition
	for hasMore := true; hasMore; {
		var err error
		hasMore, err = s.ListVersions(t.Context(), "photos", l, pos, func(v *state.Version, _ bool, common string) {
			pos = state.VersionPosition{Key: common}
			if v != nil {
				pos = state.VersionPosition{Key: v.Key, ID: v.ID}
			}
			all = append(all, pos.Key+" "+pos.ID)
		})
		require.NoError(t, err)
	}
	return all
}

// expected returns what a listing of keys must show: each key, or its common prefix once.
func expected(l state.Listing, keys []string) (names []string) {
	for _, key := range keys {
		if !strings.HasPrefix(key, l.Prefix) {
			continue
		}
		name := key
		if common, isCommon := l.CommonPrefix(key); isCommon {
			name = common
		}
		if !slices.Contains(names, name) || name == "" {
			names = append(names, name)
		}
	}
	return names
}

// newStoreOfRandomKeys returns a store after random writes and removals. It also returns the
// present keys in order, and the IDs of all versions and delete markers of each key, oldest first.
func newStoreOfRandomKeys(t *testing.T, random *rand.Rand) (s *Store, present []string, versions map[string][]string) {
	t.Helper()
	s = newStore(t, 0)
	require.NoError(t, s.ChangeBucket(t.Context(), "photos", func(b *state.Bucket) error {
		b.Versioning = state.Enabled
		return nil
	}))

	// On average, every third operation is a removal, which makes a delete marker.
	isPresent := map[string]bool{}
	versions = map[string][]string{}
	for range 40 {
		key := randomKey(random)
		isPresent[key] = random.IntN(3) > 0
		if isPresent[key] {
			v, _, err := s.Put(t.Context(), &state.Write{Bucket: "photos", Key: key}, emptyBody())
			require.NoError(t, err)
			versions[key] = append(versions[key], v.ID)
			continue
		}

		removal, err := s.Remove(t.Context(), &state.RemoveRequest{
			VersionName: state.VersionName{Bucket: "photos", Key: key},
		})
		require.NoError(t, err)
		versions[key] = append(versions[key], removal.ID)
	}

	for _, key := range slices.Sorted(maps.Keys(isPresent)) {
		if isPresent[key] {
			present = append(present, key)
		}
	}
	return s, present, versions
}

// randomKey returns a key of one to five characters. Some of the characters are delimiters of the
// test.
func randomKey(random *rand.Rand) string {
	key := make([]byte, 1+random.IntN(5))
	for i := range key {
		key[i] = "ab/0"[random.IntN(4)]
	}
	return string(key)
}

// listings returns all combinations of prefixes, delimiters and page sizes.
func listings(prefixes, delimiters []string, sizes []int) (all []state.Listing) {
	for _, prefix := range prefixes {
		for _, delimiter := range delimiters {
			for _, size := range sizes {
				all = append(all, state.Listing{Prefix: prefix, Delimiter: delimiter, Max: size})
			}
		}
	}
	return all
}

// Pages of any size, with any prefix and delimiter, together show each object, version and common prefix once.
func TestListPages(t *testing.T) {
	const seed = 7
	random := rand.New(rand.NewPCG(seed, seed))
	for round := range 20 {
		s, present, versions := newStoreOfRandomKeys(t, random)

		// A listing of objects has the present keys. A listing of versions also has the keys whose newest version is a
		// delete marker.
		allKeys := slices.Sorted(maps.Keys(versions))

		for _, l := range listings(
			[]string{"", "a", "a/", "b/a"}, // prefixes
			[]string{"", "/", "/0", "b"},   // delimiters
			[]int{1, 2, 3, 1000},           // sizes of a page
		) {
			about := fmt.Sprintf("seed %d, round %d, %+v", seed, round, l)
			require.Equal(t, expected(l, present), listAll(t, s, l), about)

			// A listing of versions has a common prefix, or all versions of a key, newest first.
			var wantVersions []string
			for _, name := range expected(l, allKeys) {
				if _, isCommonPrefix := l.CommonPrefix(name); isCommonPrefix {
					wantVersions = append(wantVersions, name+" ")
					continue
				}
				for _, id := range slices.Backward(versions[name]) {
					wantVersions = append(wantVersions, name+" "+id)
				}
			}
			require.Equal(t, wantVersions, listAllVersions(t, s, l), about)
		}
	}
}

// A listing with a delimiter reads only the first key of each common prefix.
func TestListReadsOneKeyOfCommonPrefix(t *testing.T) {
	const (
		prefixes = 5
		keys     = 200 * prefixes
	)
	const unlimited = 0
	s := newStore(t, unlimited)
	b, err := s.bucket("photos")
	require.NoError(t, err)

	// Only the first key of each prefix has a version. A listing that reads another key panics.
	for i := range keys {
		b.keys.Set(fmt.Sprintf("%d/%03d", i%prefixes, i), []*state.Version{nil})
	}
	for i := range prefixes {
		key := fmt.Sprintf("%d/%03d", i, i)
		b.keys.Set(key, []*state.Version{{Key: key, ID: state.NullVersion}})
	}

	// Pages of any size show each prefix.
	for _, size := range []int{1, 1000} {
		require.Equal(t, []string{"0/", "1/", "2/", "3/", "4/"}, listAll(t, s, state.Listing{
			Delimiter: "/",
			Max:       size,
		}))
	}
}
