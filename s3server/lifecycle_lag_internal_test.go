package s3server

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/lifecycle"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// A laggingStore is a store whose listings stay as they were when lag was called. The listings of
// some providers lag in the same way.
type laggingStore struct {
	state.Store
	lags     bool
	versions []*state.Version
	uploads  []*state.Upload
}

// lag lets the listings of the store stay as they are now.
func (s *laggingStore) lag(t *testing.T) {
	all := state.Listing{Max: 1000}
	_, err := s.Store.ListVersions(t.Context(), lagging, all, state.VersionPosition{}, func(
		v *state.Version, _ bool, _ string,
	) {
		s.versions = append(s.versions, v)
	})
	require.NoError(t, err)
	_, err = s.Store.ListUploads(t.Context(), lagging, all, state.UploadPosition{}, func(u *state.Upload, _ string) {
		s.uploads = append(s.uploads, u)
	})
	require.NoError(t, err)
	s.lags = true
}

// ListVersions shows the versions that the bucket had when lag was called.
func (s *laggingStore) ListVersions(
	ctx context.Context, bucket string, l state.Listing, pos state.VersionPosition,
	show func(*state.Version, bool, string),
) (bool, error) {
	if !s.lags {
		return s.Store.ListVersions(ctx, bucket, l, pos, show)
	}
	for i, v := range s.versions {
		show(v, i == 0, "")
	}
	return false, nil
}

// ListUploads shows the uploads that the bucket had when lag was called.
func (s *laggingStore) ListUploads(
	ctx context.Context, bucket string, l state.Listing, pos state.UploadPosition,
	show func(*state.Upload, string),
) (bool, error) {
	if !s.lags {
		return s.Store.ListUploads(ctx, bucket, l, pos, show)
	}
	for _, u := range s.uploads {
		show(u, "")
	}
	return false, nil
}

const lagging = "lagging"

// A laggingServer is a server over a laggingStore, with a bucket.
type laggingServer struct {
	handler *Handler
	bucket  storage.Bucket
	store   *laggingStore
	ahead   time.Duration
}

// A lagConfig describes the bucket of a laggingServer.
type lagConfig struct {
	inDirectory bool // the bucket is in a directory, and not in memory
	versioned   bool
	rule        string // content of its only lifecycle rule
}

// startLagging returns a server whose bucket has a lifecycle rule.
func startLagging(t *testing.T, config lagConfig) *laggingServer {
	s := &laggingServer{}
	c := Config{LifecycleDay: time.Hour, Now: func() time.Time { return time.Now().Add(s.ahead) }}
	if config.inDirectory {
		service, err := local.NewServiceDriver(t.TempDir(), local.Config{Now: c.Now, NoSync: true})
		require.NoError(t, err)
		t.Cleanup(func() { _ = service.Close() })
		c.Service = service
	}
	s.handler = New(c)
	s.store = &laggingStore{Store: s.handler.server.Store}
	s.handler.server.Store = s.store
	setup := BucketSetup{Name: lagging, Versioning: config.versioned}
	require.NoError(t, s.handler.SetUpBucket(t.Context(), setup))

	rules := &lifecycle.Configuration{}
	document := "<LifecycleConfiguration><Rule><ID>r</ID>" + config.rule + "<Status>Enabled</Status></Rule>" +
		"</LifecycleConfiguration>"
	require.NoError(t, xmldoc.Parse([]byte(document), rules))
	require.NoError(t, s.store.ChangeBucket(t.Context(), lagging, func(b *state.Bucket) error {
		b.Lifecycle = rules
		return nil
	}))
	s.bucket = s.handler.Bucket(lagging)
	return s
}

// put stores the object, and returns its version.
func (s *laggingServer) put(t *testing.T, content string, opts ...storage.UploadOption) (version string) {
	t.Helper()
	attrs, err := s.bucket.Upload(t.Context(), "k", strings.NewReader(content), opts...)
	require.NoError(t, err)
	return attrs.Version
}

// remove removes the object, or one of its versions.
func (s *laggingServer) remove(t *testing.T, version string) {
	t.Helper()
	var opts []storage.RemoveOption
	if version != "" {
		opts = append(opts, storage.WithVersion(version))
	}
	require.NoError(t, s.bucket.Remove(t.Context(), "k", opts...))
}

// versionIDs returns the ids of the versions and delete markers that the bucket has now, newest first.
func (s *laggingServer) versionIDs(t *testing.T) (ids []string) {
	t.Helper()
	_, err := s.store.Store.ListVersions(t.Context(), lagging, state.Listing{Max: 1000}, state.VersionPosition{}, func(
		v *state.Version, _ bool, _ string,
	) {
		ids = append(ids, v.ID)
	})
	require.NoError(t, err)
	return ids
}

const (
	expiresAfterADay    = "<Filter><Prefix/></Filter><Expiration><Days>1</Days></Expiration>"
	expiresNoncurrent   = "<Filter><Prefix/></Filter><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>"
	expiresTagged       = "<Filter><Tag><Key>keep</Key><Value>no</Value></Tag></Filter><Expiration><Days>1</Days></Expiration>"
	expiresAllButOne    = "<Filter><Prefix/></Filter><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>1</NewerNoncurrentVersions></NoncurrentVersionExpiration>"
	expiresLoneMarkers  = "<Filter><Prefix/></Filter><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"
	transitionsAfterDay = "<Filter><Tag><Key>keep</Key><Value>no</Value></Tag></Filter><Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>"
)

// Lifecycle rules judge the present state of an object. They remove nothing that has changed since
// an outdated listing.
func TestLifecycleRemovesNothingIfListingLags(t *testing.T) {
	tests := []struct {
		name        string
		rule        string
		versioned   bool
		makeListed  func(*testing.T, *laggingServer) // makes the state that the listing shows
		makePresent func(*testing.T, *laggingServer) // makes the present state
	}{
		{
			name: "object replaced",
			rule: expiresAfterADay,
			makeListed: func(t *testing.T, s *laggingServer) {
				s.put(t, "x")
			},
			makePresent: func(t *testing.T, s *laggingServer) {
				s.put(t, "x")
			},
		},
		{
			name:      "object replaced by a version",
			rule:      expiresAfterADay,
			versioned: true,
			makeListed: func(t *testing.T, s *laggingServer) {
				s.put(t, "x")
			},
			makePresent: func(t *testing.T, s *laggingServer) {
				s.put(t, "x")
			},
		},
		{
			name: "tags changed",
			rule: expiresTagged,
			makeListed: func(t *testing.T, s *laggingServer) {
				s.put(t, "x", storage.WithTags(map[string]string{"keep": "no"}))
			},
			makePresent: func(t *testing.T, s *laggingServer) {
				require.NoError(t, storage.SetTags(t.Context(), s.bucket, "k", map[string]string{
					"keep": "yes",
				}))
			},
		},
		{
			name:      "noncurrent version made current",
			rule:      expiresNoncurrent,
			versioned: true,
			makeListed: func(t *testing.T, s *laggingServer) {
				s.put(t, "1")
				s.put(t, "2")
			},
			makePresent: func(t *testing.T, s *laggingServer) {
				s.remove(t, s.versionIDs(t)[0])
			},
		},
		{
			name:      "version made current by the removal of a marker",
			rule:      expiresNoncurrent,
			versioned: true,
			makeListed: func(t *testing.T, s *laggingServer) {
				s.put(t, "1")
				s.remove(t, "")
			},
			makePresent: func(t *testing.T, s *laggingServer) {
				s.remove(t, s.versionIDs(t)[0])
			},
		},
		{
			name:      "version made one of the newest",
			rule:      expiresAllButOne,
			versioned: true,
			makeListed: func(t *testing.T, s *laggingServer) {
				s.put(t, "1")
				s.put(t, "2")
				s.put(t, "3")
			},
			makePresent: func(t *testing.T, s *laggingServer) {
				s.remove(t, s.versionIDs(t)[1])
			},
		},
		{
			name:      "delete marker covered by an object",
			rule:      expiresLoneMarkers,
			versioned: true,
			makeListed: func(t *testing.T, s *laggingServer) {
				version := s.put(t, "1")
				s.remove(t, "")
				s.remove(t, version)
			},
			makePresent: func(t *testing.T, s *laggingServer) {
				s.put(t, "2")
			},
		},
	}
	for _, tt := range tests {
		// The listing shows the first state. The rules run in the second one, and must leave it as it is.
		requireNothingRemoved := func(t *testing.T, inDirectory bool) {
			s := startLagging(t, lagConfig{inDirectory: inDirectory, versioned: tt.versioned, rule: tt.rule})
			tt.makeListed(t, s)
			s.store.lag(t)          // from now on, listings show this state
			s.ahead = 2 * time.Hour // two days of this server, after which the rule applies
			tt.makePresent(t, s)
			present := s.versionIDs(t)

			s.handler.RunLifecycle()

			require.Equal(t, present, s.versionIDs(t))
		}
		const inDirectory = true
		t.Run(tt.name+"/memory", func(t *testing.T) { requireNothingRemoved(t, !inDirectory) })
		t.Run(tt.name+"/directory", func(t *testing.T) { requireNothingRemoved(t, inDirectory) })
	}
}

// If only an outdated listing still has the object as the rule selects it, lifecycle rules do not
// archive the object.
func TestLifecycleArchivesNothingIfListingLags(t *testing.T) {
	tests := []struct {
		name        string
		inDirectory bool
	}{
		{name: "memory"},
		{name: "directory", inDirectory: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The rule archives objects of at least this size with the tag keep=no, after an hour that counts as a day.
			const minSize = 128 << 10
			s := startLagging(t, lagConfig{inDirectory: tt.inDirectory, rule: transitionsAfterDay})
			s.put(t, strings.Repeat("x", minSize), storage.WithTags(map[string]string{"keep": "no"}))

			// From now on, listings show the object as it is. Two hours later, it gets another tag.
			s.store.lag(t)
			s.ahead = 2 * time.Hour
			require.NoError(t, storage.SetTags(t.Context(), s.bucket, "k", map[string]string{"keep": "yes"}))

			// The rules read the present tags of the object, and keep its class.
			s.handler.RunLifecycle()
			attrs, err := s.bucket.Attrs(t.Context(), "k")
			require.NoError(t, err)
			require.Empty(t, attrs.StorageClass)
		})
	}
}

// A store with a wrong clock may list an upload as older than it is. Lifecycle rules do not abort
// such an upload, because they also read the time in the upload's record.
func TestLifecycleAbortsNothingIfListingLags(t *testing.T) {
	tests := []struct {
		name        string
		inDirectory bool
	}{
		{name: "memory"},
		{name: "directory", inDirectory: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The rule aborts uploads after a day, which is an hour on this server.
			const abortAfterDay = "<Filter><Prefix/></Filter><AbortIncompleteMultipartUpload>" +
				"<DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>"
			s := startLagging(t, lagConfig{inDirectory: tt.inDirectory, rule: abortAfterDay})
			begin := func() *state.Upload {
				u := &state.Upload{
					Bucket: lagging,
					Key:    "k",
					Kind:   checksum.Default,
					Covers: checksum.FullObject,
				}
				require.NoError(t, s.store.BeginUpload(t.Context(), u))
				return u
			}
			young := begin()
			old := begin()

			// From here, listings show the uploads as they are now, and one of them with a wrong time.
			s.store.lag(t)
			for i, u := range s.store.uploads {
				if u.ID == young.ID {
					listed := *u
					listed.Initiated = u.Initiated.Add(-2 * time.Hour)
					s.store.uploads[i] = &listed
				}
			}

			isOpen := func(u *state.Upload) bool {
				_, err := s.store.Upload(t.Context(), lagging, u.Key, u.ID)
				return err == nil
			}

			// Neither upload is old by its record, so both stay open.
			s.handler.RunLifecycle()
			require.True(t, isOpen(young))
			require.True(t, isOpen(old))

			// Later, the other upload is old by the time in its own record, too.
			s.ahead = 2 * time.Hour
			s.handler.RunLifecycle()
			require.False(t, isOpen(old))
		})
	}
}
