// Package vendedtest proves that vended credentials permit their rights for their prefix until they
// expire, and nothing else. The test of each store opens a bucket with the credentials in its own
// way.
package vendedtest

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// A Store is a new, empty store for one subtest of [Run].
type Store struct {
	// Program is the bucket of the program that issues the credentials.
	Program storage.Bucket
	// Client opens the bucket of Program with nothing but vended credentials. The bucket that it
	// returns requests them by the function ask. Client registers the clean-up with t.
	Client func(
		t *testing.T, ask func(ctx context.Context, key string) (*storage.VendedCredentials, error),
	) storage.Bucket
	// Permits has the calls that the store should refuse, but does not. The suite skips the tests
	// of these calls. The key is the name of the call in the suite, such as "reading tags". The
	// value is the reason why the call does no harm.
	Permits map[string]string
	// Rights are the rights that the store can limit to a prefix. The zero value means all rights.
	Rights storage.Rights
	// Advance moves the clock that decides whether credentials have expired. If it is nil, expiry
	// is not tested.
	Advance func(time.Duration)
}

// Run tests that credentials of [storage.Vend] permit only the requested rights, for the requested
// prefix, until they expire.
//
// The function open returns a new store for each subtest.
func Run(t *testing.T, open func(t *testing.T) Store) {
	for _, right := range rightsByName {
		t.Run("the right to "+right.name+" permits that and nothing else", func(t *testing.T) {
			requireOnlyRight(t, open(t), right)
		})
	}
	for _, a := range attacks {
		t.Run("nobody gets in by "+a.name, func(t *testing.T) {
			a.requireFailure(t, open(t))
		})
	}
	t.Run("credentials for the whole bucket reach all of it", func(t *testing.T) {
		requireWholeBucket(t, open(t))
	})
	t.Run("a prefixed bucket vends its own prefix", func(t *testing.T) {
		requireOwnPrefix(t, open(t))
	})
	if open(t).Advance != nil {
		t.Run("credentials end with their time", func(t *testing.T) {
			requireExpiry(t, open(t))
		})
	}
}

// requireWholeBucket requires that credentials for the prefix "" permit reading all objects.
func requireWholeBucket(t *testing.T, s Store) {
	fill(t, s.Program)
	client := s.client(t, s.vend(t, ""))
	require.Equal(t, contentOf(t, s.Program), contentOf(t, client))
}

// requireOwnPrefix vends credentials from a bucket with the prefix "users/", and requires that they
// permit keys below "users/1/" and no others.
func requireOwnPrefix(t *testing.T, s Store) {
	fill(t, s.Program)
	users := storage.Prefixed(s.Program, "users/")
	credentials, err := storage.Vend(t.Context(), users, "1/", s.rights(ownPrefix), time.Hour)
	require.NoError(t, err)
	require.Equal(t, ownPrefix, credentials.Prefix)

	client := s.client(t, credentials)
	_, err = client.Attrs(t.Context(), "users/1/a")
	require.NoError(t, err)
	_, err = client.Attrs(t.Context(), "users/10/a")
	requireRefused(t, err)
}

// requireExpiry requires that credentials with a lifetime of an hour are valid until its end, and
// then permit nothing.
func requireExpiry(t *testing.T, s Store) {
	fill(t, s.Program)
	client := s.client(t, s.vend(t, ownPrefix))

	// Shortly before the end, the credentials are valid.
	const margin = 2 * time.Second
	s.Advance(time.Hour - margin)
	_, err := client.Attrs(t.Context(), "users/1/a")
	require.NoError(t, err)

	// At the end, no call is permitted, and nothing changes.
	s.Advance(margin)
	before := contentOf(t, s.Program)
	for name, do := range calls {
		requireRefused(t, do(t.Context(), client, "users/1/a"), name)
	}
	require.Equal(t, before, contentOf(t, s.Program))
}

// ownPrefix is the prefix of the client's credentials.
const ownPrefix = "users/1/"

var (
	allRights = storage.Rights{Read: true, List: true, Write: true, Remove: true}

	// objects are the contents of the objects of each test, by key. Those outside of ownPrefix have
	// keys that resemble it.
	objects = map[string]string{
		"users/1/a":   "own",
		"users/1/b/c": "own below",
		"users/10/a":  "a neighbor's",
		"users/1":     "beside",
		"root":        "root",
	}
)

// fill stores the objects in b.
func fill(t *testing.T, b storage.Bucket) {
	t.Helper()
	for _, key := range slices.Sorted(maps.Keys(objects)) {
		if key == "users/1" && !storage.Supports(b, storage.KeysBesideFolders|storage.LongSegments) {
			// A server of files cannot hold this key.
			continue
		}
		_, err := b.Upload(t.Context(), key, strings.NewReader(objects[key]))
		require.NoError(t, err)
	}
}

// contentOf returns the contents of all objects in b, by key.
func contentOf(t *testing.T, b storage.Bucket) map[string]string {
	t.Helper()
	content := map[string]string{}
	for entry, err := range b.List(t.Context(), storage.WithAnyOrder()) {
		require.NoError(t, err)
		text, _, err := storage.ReadAll(t.Context(), b, entry.Key)
		require.NoError(t, err)
		content[entry.Key] = string(text)
	}
	return content
}

// vend returns credentials for a prefix that expire after an hour.
func (s Store) vend(t *testing.T, prefix string) *storage.VendedCredentials {
	t.Helper()
	v, err := storage.Vend(t.Context(), s.Program, prefix, s.rights(prefix), time.Hour)
	require.NoError(t, err)
	return v
}

// rights returns the rights that the store can limit to a prefix.
func (s Store) rights(prefix string) storage.Rights {
	if prefix == "" || s.Rights == (storage.Rights{}) {
		return allRights
	}
	return s.Rights
}

// client opens the bucket with credentials that claim to be valid for all keys, so that the library
// refuses nothing and only the store decides.
func (s Store) client(t *testing.T, v *storage.VendedCredentials) storage.Bucket {
	t.Helper()
	claimed := *v
	claimed.Prefix = ""
	return s.Client(t, func(context.Context, string) (*storage.VendedCredentials, error) { return &claimed, nil })
}

// requireRefused requires that err refuses a request. If the name of the call is given, a failure
// message shows it.
func requireRefused(t *testing.T, err error, name ...string) {
	t.Helper()
	codes := []storage.Code{
		storage.PermissionDenied, storage.Unauthenticated, storage.Unsupported, storage.InvalidArgument,
	}
	require.Contains(t, codes, storage.CodeOf(err), "%s: %v", strings.Join(name, " "), err)
}

// calls maps the name of a right to a call that the right permits.
var calls = map[string]func(ctx context.Context, b storage.Bucket, key string) error{
	"read": func(ctx context.Context, b storage.Bucket, key string) error {
		_, _, err := storage.ReadAll(ctx, b, key)
		return err
	},
	"list": func(ctx context.Context, b storage.Bucket, key string) error {
		return listAll(ctx, b, storage.WithPrefix(key[:strings.LastIndexByte(key, '/')+1]))
	},
	"write": func(ctx context.Context, b storage.Bucket, key string) error {
		_, err := b.Upload(ctx, key, strings.NewReader("written"))
		return err
	},
	"remove": func(ctx context.Context, b storage.Bucket, key string) error { return b.Remove(ctx, key) },
}

// listAll lists all objects, and returns the first error.
func listAll(ctx context.Context, b storage.Bucket, opts ...storage.ListOption) error {
	for _, err := range b.List(ctx, append(opts, storage.WithAnyOrder())...) {
		if err != nil {
			return err
		}
	}
	return nil
}

// A namedRight is a single right. Its name is a key of calls.
type namedRight struct {
	name   string
	rights storage.Rights
}

var rightsByName = []namedRight{
	{name: "read", rights: storage.Rights{Read: true}},
	{name: "list", rights: storage.Rights{List: true}},
	{name: "write", rights: storage.Rights{Write: true}},
	{name: "remove", rights: storage.Rights{Remove: true}},
}

// requireOnlyRight requires that credentials with a single right permit the call of that right
// below their prefix, and nothing else.
func requireOnlyRight(t *testing.T, s Store, right namedRight) {
	fill(t, s.Program)
	credentials, err := storage.Vend(t.Context(), s.Program, ownPrefix, right.rights, time.Hour)

	// A store may be unable to limit listings to a prefix.
	cannotLimitList := right.rights.List && !s.rights(ownPrefix).List
	if cannotLimitList {
		require.Equal(t, storage.Unsupported, storage.CodeOf(err))
		return
	}
	require.NoError(t, err)
	require.False(t, credentials.Expires.IsZero())
	client := s.client(t, credentials)

	// The other calls are refused, and change nothing.
	before := contentOf(t, s.Program)
	for _, name := range slices.Sorted(maps.Keys(calls)) {
		if name != right.name {
			requireRefused(t, calls[name](t.Context(), client, "users/1/a"), name)
		}
	}
	require.Equal(t, before, contentOf(t, s.Program))

	// The call of the right is permitted only below the prefix.
	require.NoError(t, calls[right.name](t.Context(), client, "users/1/a"))
	requireRefused(t, calls[right.name](t.Context(), client, "users/10/a"))

	// The right to write includes uploads in parts. On S3, a part has at least 5 MiB.
	if right.rights.Write {
		const partSize = 6 << 20
		content := bytes.NewReader(make([]byte, 2*partSize))
		_, err := client.Upload(t.Context(), "users/1/parts", content, storage.WithPartSize(partSize))
		require.NoError(t, err, "parts")
	}
}

// An attempt makes a request that the credentials for ownPrefix do not permit, and returns its
// error.
type attempt struct {
	name string
	try  func(t *testing.T, s Store, v *storage.VendedCredentials, client storage.Bucket) error
}

// requireFailure requires that the attempt is refused and changes no object outside of its prefix.
// An attempt that s.Permits names is skipped.
func (a attempt) requireFailure(t *testing.T, s Store) {
	if reason, permitted := s.Permits[a.name]; permitted {
		t.Skip(reason)
	}
	fill(t, s.Program)
	credentials := s.vend(t, ownPrefix)
	client := s.client(t, credentials)

	// The credentials are valid, so they do not cause the refusal below.
	require.NoError(t, calls["read"](t.Context(), client, "users/1/a"))

	before := contentOf(t, s.Program)
	requireRefused(t, a.try(t, s, credentials, client))
	after := contentOf(t, s.Program)
	for key, text := range before {
		require.Equal(t, text, after[key], "%s must not change", key)
	}

	// A part of the attempt may have been permitted, but only below the prefix. It may not have copied
	// the object of another user, which contains the word "neighbor".
	for key := range after {
		if _, exists := before[key]; !exists {
			require.True(t, strings.HasPrefix(key, ownPrefix), "%s must not exist", key)
			require.NotContains(t, after[key], "neighbor")
		}
	}
}
