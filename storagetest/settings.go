package storagetest

import (
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// isSupported reports whether a setting was made, and fails the case for any error but Unsupported.
// Rule B2 permits that error for settings that only the provider's management API can change.
func (s *S) isSupported(err error) bool {
	s.T.Helper()
	if storage.CodeOf(err) == storage.Unsupported {
		return false
	}
	require.NoError(s.T, err)
	return true
}

// requireCORS requires that rules has only the rule want. Google has one list for allowed and
// exposed headers, so both fields of a rule may have the headers of both.
func (s *S) requireCORS(want storage.CORSRule, rules []storage.CORSRule) {
	s.T.Helper()
	require.Len(s.T, rules, 1)
	got := rules[0]

	union := append(slices.Clone(want.AllowedHeaders), want.ExposedHeaders...)
	if slices.Equal(got.AllowedHeaders, union) {
		want.AllowedHeaders = union
		want.ExposedHeaders = union
	}
	require.Equal(s.T, want, got)
}

// settingCases are cases for the settings of buckets: locks, versions, CORS, lifecycle, public
// access.
var settingCases = []serviceCase{
	{
		Case{
			Name:        "a bucket locks objects if told to",
			Rule:        "G3",
			Explanation: "WithObjectLock works at creation, and Service.Bucket opens the bucket with versions, which it cannot lose",
		},
		func(s *S) {
			ctx := s.T.Context()
			name := s.name()
			info, err := s.CreateBucket(ctx, name, storage.WithObjectLock())
			if !s.isSupported(err) {
				return
			}
			s.provider = info.Provider
			require.True(s.T, info.ObjectLock)
			require.True(s.T, info.Versioning)
			b := s.bucket(name)
			require.True(s.T, storage.Supports(b, storage.ObjectLock|storage.Versioning))
			_, err = s.UpdateBucket(ctx, name, storage.WithObjectLock(), storage.WithVersioning(false))
			s.T.requireCode(err, storage.InvalidArgument)
		},
	},
	{
		Case{
			Name:        "a bucket that locks objects keeps them",
			Rule:        "G3",
			Explanation: "what has a retention is Locked, and a default retention holds for what is written without one",
		},
		func(s *S) {
			ctx := s.T.Context()
			name := s.name()
			info, err := s.CreateBucket(ctx, name, storage.WithObjectLock())
			if !s.isSupported(err) {
				return
			}
			s.provider = info.Provider
			b := s.bucket(name)
			remove := func(key, version string) {
				require.NoError(s.T, b.Remove(ctx, key, storage.WithVersion(version), storage.WithGovernanceBypass()))
			}
			attrs := s.T.put(b, "kept", "x", storage.WithRetention(time.Now().Add(lockTime), storage.Governance))
			s.T.requireNothingDone(b.Remove(ctx, "kept", storage.WithVersion(attrs.Version)), storage.Locked)
			remove("kept", attrs.Version)
			info, err = s.UpdateBucket(ctx, name, storage.WithDefaultRetention(storage.Governance, 1))
			if s.isSupported(err) {
				require.Equal(s.T, storage.DefaultRetention{Mode: storage.Governance, Days: 1}, info.DefaultRetention)
				written := s.T.put(b, "default", "x")
				s.T.requireNothingDone(b.Remove(ctx, "default", storage.WithVersion(written.Version)), storage.Locked)
				remove("default", written.Version)
				info, err = s.UpdateBucket(ctx, name, storage.WithDefaultRetention("", 0))
				require.NoError(s.T, err)
				require.Zero(s.T, info.DefaultRetention)
				written = s.T.put(b, "free", "x")
				require.NoError(s.T, b.Remove(ctx, "free", storage.WithVersion(written.Version)))
			}
			require.NoError(s.T, s.DeleteBucket(ctx, name))
		},
	},
	{
		Case{
			Name:        "a bucket keeps versions if told to",
			Rule:        "B2",
			Explanation: "WithVersioning works at creation and later, and Service.Bucket opens the bucket accordingly",
		},
		func(s *S) {
			name := s.create()
			info, err := s.UpdateBucket(s.T.Context(), name, storage.WithVersioning(true))
			if !s.isSupported(err) {
				return
			}
			require.True(s.T, info.Versioning)
			b := s.bucket(name)
			one := s.T.put(b, "a", "one")
			s.T.put(b, "a", "two")
			require.True(s.T, storage.Supports(b, storage.Versioning), "the service just enabled it")
			require.Equal(s.T, "one", s.T.get(b, "a", storage.WithVersion(one.Version)))
			_, err = storage.RemoveMatching(s.T.Context(), b, nil)
			require.NoError(s.T, err)
			for _, entry := range s.T.versions(b) {
				require.NoError(s.T, b.Remove(s.T.Context(), "a", storage.WithVersion(entry.Version)))
			}
			require.True(
				s.T, storage.Supports(s.bucket(s.create(storage.WithVersioning(true))), storage.Versioning),
				"at creation",
			)
			require.False(s.T, storage.Supports(s.bucket(s.create()), storage.Versioning), "versioning was not enabled")
		},
	},
	{
		Case{
			Name:        "a bucket keeps what is removed if told to",
			Rule:        "V5",
			Explanation: "WithSoftDelete works at creation and later, BucketInfo tells it, and what was removed does not keep a bucket from being deleted",
		},
		func(s *S) {
			ctx := s.T.Context()
			name := s.name()
			info, err := s.CreateBucket(ctx, name, storage.WithSoftDelete(keptFor))
			if !s.isSupported(err) {
				return
			}
			require.Equal(s.T, keptFor, info.SoftDelete)
			b := s.bucket(name)
			s.T.put(b, "a", "one")
			require.NoError(s.T, b.Remove(ctx, "a"))
			if storage.Supports(b, storage.SoftDelete) {
				require.Len(s.T, s.T.versions(b, storage.WithSoftDeleted()), 1)
			}
			info, err = s.UpdateBucket(ctx, name, storage.WithSoftDelete(0))
			require.NoError(s.T, err)
			require.Zero(s.T, info.SoftDelete)
			info, err = s.BucketInfo(ctx, name)
			require.NoError(s.T, err)
			require.Zero(s.T, info.SoftDelete)
			_, err = s.UpdateBucket(ctx, name, storage.WithSoftDelete(-1))
			s.T.requireCode(err, storage.InvalidArgument)
			require.NoError(s.T, s.DeleteBucket(ctx, name))
		},
	},
	{
		Case{
			Name:        "an update changes only what it names",
			Rule:        "B2",
			Explanation: "CORS rules are kept by an update of another setting, and cleared by an option without rules",
		},
		func(s *S) {
			name := s.create()
			cors := storage.CORSRule{
				Origins:        []string{"https://example.com"},
				Methods:        []string{"GET", "PUT"},
				AllowedHeaders: []string{"*"},
				ExposedHeaders: []string{"ETag"},
				MaxAge:         time.Hour,
			}
			if _, err := s.UpdateBucket(s.T.Context(), name, storage.WithCORS(cors)); !s.isSupported(err) {
				return
			}
			rules := func() []storage.CORSRule {
				info, err := s.BucketInfo(s.T.Context(), name)
				require.NoError(s.T, err)
				return info.CORS
			}
			_, err := s.UpdateBucket(s.T.Context(), name, storage.WithPublicAccess(false))
			s.isSupported(err)
			s.requireCORS(cors, rules())
			_, err = s.UpdateBucket(s.T.Context(), name, storage.WithCORS())
			require.NoError(s.T, err)
			require.Empty(s.T, rules())
		},
	},
	{
		Case{
			Name:        "lifecycle rules are set and cleared",
			Rule:        "B2",
			Explanation: "they are kept unchanged, beside the CORS rules, and cleared by an option without rules",
		},
		func(s *S) {
			name := s.create()
			rule := storage.LifecycleRule{ID: "tmp", Prefix: "tmp/", ExpireAfterDays: 3}
			if _, err := s.UpdateBucket(s.T.Context(), name, storage.WithLifecycle(rule)); !s.isSupported(err) {
				return
			}
			rules := func() []storage.LifecycleRule {
				info, err := s.BucketInfo(s.T.Context(), name)
				require.NoError(s.T, err)
				return info.Lifecycle
			}
			_, err := s.UpdateBucket(s.T.Context(), name, storage.WithCORS())
			s.isSupported(err)
			got := rules()
			require.Len(s.T, got, 1)
			if got[0].ID == "" {
				got[0].ID = rule.ID // Google's rules have no name
			}
			require.Equal(s.T, rule, got[0])
			_, err = s.UpdateBucket(s.T.Context(), name, storage.WithLifecycle())
			require.NoError(s.T, err)
			require.Empty(s.T, rules())
		},
	},
	{
		Case{
			Name:        "a lifecycle rule that only ends uploads",
			Rule:        "B2",
			Explanation: "it is kept unchanged, or it is Unsupported and the previous rules stay, but it is never InvalidArgument",
		},
		func(s *S) {
			name := s.create()
			before := storage.LifecycleRule{ID: "tmp", Prefix: "tmp/", ExpireAfterDays: 3}
			if _, err := s.UpdateBucket(s.T.Context(), name, storage.WithLifecycle(before)); !s.isSupported(err) {
				return
			}
			want := storage.LifecycleRule{ID: "uploads", Prefix: "up/", AbortUploadsAfterDays: 3}
			_, err := s.UpdateBucket(s.T.Context(), name, storage.WithLifecycle(want))
			if !s.isSupported(err) {
				want = before
			}
			info, err := s.BucketInfo(s.T.Context(), name)
			require.NoError(s.T, err)
			require.Len(s.T, info.Lifecycle, 1)
			got := info.Lifecycle[0]
			if got.ID == "" {
				got.ID = want.ID // Google's rules have no name
			}
			require.Equal(s.T, want, got)
		},
	},
	{
		Case{
			Name:        "a bucket is made public and private",
			Rule:        "B2",
			Explanation: "WithPublicAccess works at creation and later",
		},
		func(s *S) {
			name := s.create()
			if _, err := s.UpdateBucket(s.T.Context(), name, storage.WithPublicAccess(true)); !s.isSupported(err) {
				return
			}
			info, err := s.BucketInfo(s.T.Context(), name)
			require.NoError(s.T, err)
			require.True(s.T, info.Public)
			_, err = s.UpdateBucket(s.T.Context(), name, storage.WithPublicAccess(false))
			require.NoError(s.T, err)
			info, err = s.BucketInfo(s.T.Context(), name)
			require.NoError(s.T, err)
			require.False(s.T, info.Public)
		},
	},
}
