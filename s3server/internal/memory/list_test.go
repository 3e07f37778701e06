package memory

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server/internal/state"
)

// listAll returns what a listing shows, all pages together.
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

// versionsIn does the same as shownIn, but for versions.
func versionsIn(t *testing.T, s *Store, l state.Listing) (all []string) {
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

// The pages of a listing show each entry once.
func TestListPages(t *testing.T) {
	ctx := context.Background()
	const seed = 7
	random := rand.New(rand.NewPCG(seed, seed))
	for round := range 20 {
		s := newStore(t, 0)
		require.NoError(t, s.ChangeBucket(ctx, "photos", func(b *state.Bucket) error {
			b.Versioning = state.Enabled
			return nil
		}))
		live := map[string]bool{}
		versions := map[string][]string{}
		for range 40 {
			key := make([]byte, 1+random.IntN(5))
			for i := range key {
				key[i] = "ab/0"[random.IntN(4)]
			}
			name := string(key)
			live[name] = random.IntN(3) > 0
			if live[name] {
				v, _, err := s.Put(ctx, &state.Write{Bucket: "photos", Key: name}, emptyBody())
				require.NoError(t, err)
				versions[name] = append(versions[name], v.ID)
				continue
			}
			removal, err := s.Remove(ctx, &state.RemoveRequest{
				VersionName: state.VersionName{Bucket: "photos", Key: name},
			})
			require.NoError(t, err)
			versions[name] = append(versions[name], removal.ID)
		}

		var current, all []string
		for key, is := range live {
			all = append(all, key)
			if is {
				current = append(current, key)
			}
		}
		slices.Sort(current)
		slices.Sort(all)

		for _, prefix := range []string{"", "a", "a/", "b/a"} {
			for _, delimiter := range []string{"", "/", "/0", "b"} {
				for _, size := range []int{1, 2, 3, 1000} {
					l := state.Listing{Prefix: prefix, Delimiter: delimiter, Max: size}
					name := fmt.Sprintf("seed %d, round %d, %+v", seed, round, l)
					require.Equal(t, expected(l, current), listAll(t, s, l), name)

					var want []string
					for _, versionID := range expected(l, all) {
						if _, rolled := l.CommonPrefix(versionID); rolled {
							want = append(want, versionID+" ")
							continue
						}
						for _, id := range slices.Backward(versions[versionID]) {
							want = append(want, versionID+" "+id)
						}
					}
					require.Equal(t, want, versionsIn(t, s, l), name)
				}
			}
		}
	}
}

// A listing with a delimiter reads only the first key of each common prefix.
func TestListReadsOneKeyOfCommonPrefix(t *testing.T) {
	const (
		prefixes = 5
		keys     = 200 * prefixes
	)
	s := newStore(t, 0)
	b, err := s.bucket("photos")
	require.NoError(t, err)
	// All keys of a prefix but the first have no version, so that reading them panics.
	for i := range keys {
		b.keys.Set(fmt.Sprintf("%d/%03d", i%prefixes, i), []*state.Version{nil})
	}
	for i := range prefixes {
		key := fmt.Sprintf("%d/%03d", i, i)
		b.keys.Set(key, []*state.Version{{Key: key, ID: state.NullVersion}})
	}

	for _, size := range []int{1, 1000} {
		require.Equal(t, []string{"0/", "1/", "2/", "3/", "4/"}, listAll(t, s, state.Listing{
			Delimiter: "/",
			Max:       size,
		}))
	}
}
