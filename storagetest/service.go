package storagetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// RunService proves the rules for a [storage.Service] in accounts that open opens, and that cases
// may share.
//
// Each case creates buckets of its own with names that begin with "storagetest-", and deletes them.
func RunService(t *testing.T, open func(t *testing.T) storage.Service, opts ...Option) {
	t.Helper()
	o := readOptions(opts)
	cases := make([]Case, len(serviceCases))
	for i, c := range serviceCases {
		cases[i] = c.Case
	}
	requireKnown(t, cases, o)

	report := newReport("service", driver.Description{}, o)
	t.Run("service", func(t *testing.T) {
		for _, c := range serviceCases {
			if reason, skipped := o.skips(c.Name, c.Rule); skipped {
				report.skip(c.Case, reason)
				continue
			}
			t.Run(c.Rule+"/"+c.Name, func(t *testing.T) {
				t.Parallel()
				runServiceCase(t, c, open, o, report)
			})
		}
	})
	report.write(t)
}

// runServiceCase runs c with an account of its own.
func runServiceCase(
	t *testing.T, c serviceCase, open func(t *testing.T) storage.Service, o *options, report *report,
) {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("rule %s: %s", c.Rule, c.Explanation)
			return
		}
		report.pass(c.Case)
	})
	account := open(t)
	t.Cleanup(func() { require.NoError(t, account.Close()) })
	s := &S{
		T:       newT(t, nil, o, driver.Description{}),
		Service: account,
		open:    open,
	}
	c.run(s)
	report.setProvider(s.provider)
}

// An S is a running case that tests a Service.
type S struct {
	*T
	storage.Service

	open     func(t *testing.T) storage.Service
	provider string // provider of the bucket that was created last
}

type serviceCase struct {
	Case
	run func(s *S)
}

var bucketNumber atomic.Int64

// name returns a bucket name that no other case uses.
func (s *S) name() string {
	return fmt.Sprintf("storagetest-%d-%d", time.Now().UnixNano()%1e9, bucketNumber.Add(1))
}

// create creates a bucket and returns its name. The bucket is emptied and deleted at the end of the case.
func (s *S) create(opts ...storage.BucketOption) string {
	s.T.Helper()
	name := s.name()
	info, err := s.CreateBucket(s.T.Context(), name, opts...)
	require.NoError(s.T, err)
	require.Equal(s.T, name, info.Name)
	s.provider = info.Provider
	s.T.Cleanup(func() { s.delete(name) })
	return name
}

// delete empties and deletes a bucket. It ignores errors, because the case may already have deleted
// it.
func (s *S) delete(name string) {
	ctx := context.Background() // the context of the case is already done
	b, err := s.Bucket(name)
	if err == nil {
		_, _ = storage.RemoveMatching(ctx, b, nil)
		_ = storage.Close(b)
	}
	s.removeVersions(ctx, name)
	_ = s.DeleteBucket(ctx, name)
}

// removeVersions removes all versions in a bucket, which would keep DeleteBucket from removing it.
// Like delete, it ignores errors.
func (s *S) removeVersions(ctx context.Context, name string) {
	b, err := s.Bucket(name, storage.WithVersioning(true))
	if err != nil {
		return
	}
	for version, err := range storage.Versions(ctx, b) {
		if err != nil {
			// The bucket keeps no versions.
			break
		}
		_ = b.Remove(ctx, version.Key, storage.WithVersion(version.Version))
	}
	_ = storage.Close(b)
}

// serviceCases are all cases of RunService.
var serviceCases = slices.Concat(accountCases, settingCases)

// accountCases are cases for an account and its buckets.
var accountCases = []serviceCase{
	{
		Case{
			Name:        "a bucket is created, described, listed and deleted",
			Rule:        "B1",
			Explanation: "CreateBucket, BucketInfo, Buckets and DeleteBucket work, with the bucket's name and provider",
		},
		func(s *S) {
			name := s.create()
			info, err := s.BucketInfo(s.T.Context(), name)
			require.NoError(s.T, err)
			require.Equal(s.T, name, info.Name)
			require.NotEmpty(s.T, info.Provider)
			ok := false
			for listed, err := range s.Buckets(s.T.Context()) {
				require.NoError(s.T, err)
				ok = ok || listed.Name == name
			}
			require.True(s.T, ok)
			require.NoError(s.T, s.DeleteBucket(s.T.Context(), name))
			_, err = s.BucketInfo(s.T.Context(), name)
			s.T.requireCode(err, storage.BucketNotFound)
		},
	},
	{
		Case{
			Name:        "a bucket name that is taken",
			Rule:        "B1",
			Explanation: "CreateBucket of an existing bucket is BucketExists, also for its owner, and changes nothing",
		},
		func(s *S) {
			name := s.create()
			b := s.bucket(name)
			s.T.put(b, "a", "x")
			_, err := s.CreateBucket(s.T.Context(), name)
			s.T.requireCode(err, storage.BucketExists)
			s.T.requireContent(b, "a", "x")
		},
	},
	{
		Case{
			Name:        "an invalid bucket name",
			Rule:        "B1",
			Explanation: "3 to 63 characters of a-z, 0-9 and -, with a letter or digit at both ends and no --, or else InvalidArgument",
		},
		func(s *S) {
			for _, name := range []string{"", "ab", "Upper", "under_score", "dot.dot", "-a-b", "a-b-", "a--b", "a b", "../x", "\u00e9t\u00e9", strings.Repeat("a", 64)} {
				_, err := s.CreateBucket(s.T.Context(), name)
				require.Equal(s.T, storage.InvalidArgument, storage.CodeOf(err), "%q: %v", name, err)
			}
		},
	},
	{
		Case{
			Name:        "a bucket that is not empty is not deleted",
			Rule:        "B1",
			Explanation: "DeleteBucket is BucketNotEmpty with every provider, and deletes nothing",
		},
		func(s *S) {
			name := s.create()
			b := s.bucket(name)
			s.T.put(b, "a", "x")
			s.T.requireCode(s.DeleteBucket(s.T.Context(), name), storage.BucketNotEmpty)
			s.T.requireContent(b, "a", "x")
			require.NoError(s.T, b.Remove(s.T.Context(), "a"))
			s.removeVersions(s.T.Context(), name)
			require.NoError(s.T, s.DeleteBucket(s.T.Context(), name))
		},
	},
	{
		Case{
			Name:        "a missing bucket",
			Rule:        "E2",
			Explanation: "its info, its deletion and every operation on it are BucketNotFound, which is not ObjectNotFound",
		},
		func(s *S) {
			name := s.name()
			_, err := s.BucketInfo(s.T.Context(), name)
			require.NotEmpty(s.T, s.T.requireCode(err, storage.BucketNotFound).Hint, "the hint must say what to check")
			s.T.requireCode(s.DeleteBucket(s.T.Context(), name), storage.BucketNotFound)
			b := s.bucket(name)
			for operation, err := range map[string]error{
				"Upload":   second(b.Upload(s.T.Context(), "a", strings.NewReader("x"))),
				"Download": second(b.Download(s.T.Context(), "a")),
				"Attrs":    second(b.Attrs(s.T.Context(), "a")),
				"Exists":   second(b.Exists(s.T.Context(), "a")),
				"Remove":   b.Remove(s.T.Context(), "a"),
				"ListPage": second(storage.ListPage(s.T.Context(), b, "")),
				"Copy":     second(storage.Copy(s.T.Context(), b, "b", b, "a")),
			} {
				require.Equal(s.T, storage.BucketNotFound, storage.CodeOf(err), "%s: %v", operation, err)
				require.False(s.T, errors.Is(err, storage.ObjectNotFound), operation)
			}
			for _, err := range b.List(s.T.Context()) {
				s.T.requireCode(err, storage.BucketNotFound)
			}
		},
	},
	{
		Case{
			Name:        "a bucket that is deleted and created again",
			Rule:        "E2",
			Explanation: "a Bucket value outlives its bucket: after DeleteBucket its operations are BucketNotFound, and after CreateBucket they work again, on the new bucket",
		},
		func(s *S) {
			name := s.create()
			b := s.bucket(name)
			s.T.put(b, "a", "old")
			r, err := b.Download(s.T.Context(), "a")
			require.NoError(s.T, err)
			require.NoError(s.T, b.Remove(s.T.Context(), "a"))
			s.removeVersions(s.T.Context(), name)
			require.NoError(s.T, s.DeleteBucket(s.T.Context(), name))
			require.NoError(s.T, r.Close())
			for operation, err := range map[string]error{
				"Upload":   second(b.Upload(s.T.Context(), "a", strings.NewReader("x"), storage.IfAbsent())),
				"Download": second(b.Download(s.T.Context(), "a")),
				"Attrs":    second(b.Attrs(s.T.Context(), "a")),
				"Remove":   b.Remove(s.T.Context(), "a"),
				"ListPage": second(storage.ListPage(s.T.Context(), b, "")),
				"Copy":     second(storage.Copy(s.T.Context(), b, "b", b, "a")),
			} {
				require.Equal(s.T, storage.BucketNotFound, storage.CodeOf(err), "%s: %v", operation, err)
			}

			_, err = s.CreateBucket(s.T.Context(), name)
			if storage.CodeOf(err) == storage.Unavailable {
				return // Azure reserves the name of a deleted container for at least 30 seconds
			}
			require.NoError(s.T, err)
			require.Empty(s.T, s.T.keys(b))
			_, err = b.Upload(s.T.Context(), "a", strings.NewReader("new"), storage.IfAbsent())
			require.NoError(s.T, err)
			_, err = s.bucket(name).Upload(s.T.Context(), "a", strings.NewReader("other"), storage.IfAbsent())
			s.T.requireCode(err, storage.PreconditionFailed)
			s.T.requireContent(b, "a", "new")
		},
	},
	{
		Case{
			Name:        "a closed service",
			Rule:        "E6",
			Explanation: "every operation on a closed service and on its buckets is InvalidArgument",
		},
		func(s *S) {
			name := s.create()
			account := s.open(s.T.T)
			b, err := account.Bucket(name)
			require.NoError(s.T, err)
			view := storage.Prefixed(b, "a/")
			require.NoError(s.T, account.Close())
			require.NoError(s.T, account.Close())
			for operation, err := range map[string]error{
				"CreateBucket": second(account.CreateBucket(s.T.Context(), s.name())),
				"BucketInfo":   second(account.BucketInfo(s.T.Context(), name)),
				"DeleteBucket": account.DeleteBucket(s.T.Context(), name),
				"Bucket":       second(account.Bucket(name)),
				"Upload":       second(b.Upload(s.T.Context(), "a", strings.NewReader("x"))),
				"Exists":       second(view.Exists(s.T.Context(), "a")),
			} {
				require.Equal(s.T, storage.InvalidArgument, storage.CodeOf(err), "%s: %v", operation, err)
			}
			for _, err := range account.Buckets(s.T.Context()) {
				s.T.requireCode(err, storage.InvalidArgument)
			}
			require.NoError(s.T, storage.Close(b))
		},
	},
	{
		Case{
			Name:        "buckets of one account are apart",
			Rule:        "B1",
			Explanation: "a key in one bucket is not in the other, and a copy goes between them",
		},
		func(s *S) {
			one := s.bucket(s.create())
			two := s.bucket(s.create())
			s.T.put(one, "a", "x", storage.WithMetadata(map[string]string{"k": "v"}))
			s.T.requireMissing(two, "a")
			_, err := storage.Copy(s.T.Context(), two, "b", one, "a")
			require.NoError(s.T, err)
			s.T.requireContent(two, "b", "x")
			require.Equal(s.T, map[string]string{"k": "v"}, s.T.attrs(two, "b").Metadata)
		},
	},
	{
		Case{
			Name:        "credentials show no secret",
			Rule:        "E4",
			Explanation: "String, %v, %#v and a log line show the identity and the provider; a provider without credentials is Unsupported",
		},
		func(s *S) {
			name := s.create()
			credentials, err := s.Credentials(s.T.Context(), name)
			if !s.isSupported(err) {
				return
			}
			require.NotEmpty(s.T, credentials.SecretKey)
			for _, text := range loggedForms(*credentials) {
				require.NotContains(s.T, text, credentials.SecretKey)
			}
		},
	},
	{
		Case{
			Name:        "an update of a missing bucket",
			Rule:        "B1",
			Explanation: "the update is BucketNotFound, or Unsupported if there is nothing to update",
		},
		func(s *S) {
			for name, option := range map[string]storage.BucketOption{
				"public access": storage.WithPublicAccess(false),
				"versioning":    storage.WithVersioning(true),
				"CORS":          storage.WithCORS(),
				"lifecycle":     storage.WithLifecycle(),
			} {
				_, err := s.UpdateBucket(s.T.Context(), s.name(), option)
				require.Contains(
					s.T, []storage.Code{storage.BucketNotFound, storage.Unsupported}, storage.CodeOf(err), "%s: %v",
					name, err,
				)
			}
		},
	},
}

// bucket opens a bucket of the account, which is closed at the end of the case.
func (s *S) bucket(name string) storage.Bucket {
	s.T.Helper()
	b, err := s.Bucket(name)
	require.NoError(s.T, err)
	s.T.Cleanup(func() { require.NoError(s.T, storage.Close(b)) })
	return b
}
