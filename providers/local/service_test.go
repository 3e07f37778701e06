package local

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/localfile"
	"github.com/omnibucket/storage/providers/local/internal/bucketstore"
	"github.com/stretchr/testify/require"
)

// newService returns a service whose clock stands still, and its directory.
func newService(t *testing.T) (*serviceDriver, string) {
	t.Helper()
	root := t.TempDir()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	service, err := NewServiceDriver(root, Config{NoSync: true, Now: func() time.Time { return now }})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, service.Close()) })
	return service.(*serviceDriver), root
}

// bucket opens a bucket of the service, whose directory is root.
func (s *serviceDriver) bucket(t *testing.T, name, root string) *testBucket {
	d, err := s.Driver(name)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return &testBucket{d.(*objectDriver), t, filepath.Join(root, name)}
}

// CreateBucket makes a bucket visible only with its settings, so that a killed process leaves no bucket without
// its object lock.
func TestCreateBucketWithSettings(t *testing.T) {
	root := t.TempDir()
	wasVisible := false // whether the bucket had its name before its settings were written
	service, err := NewServiceDriver(root, Config{
		NoSync: true,
		// Now is called when the settings are written, for the time of creation.
		Now: func() time.Time {
			if _, err := os.Lstat(filepath.Join(root, "b")); err == nil {
				wasVisible = true
			}
			return time.Now()
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, service.Close()) })

	r := &driver.BucketRequest{Name: "b", ObjectLock: true}
	_, err = service.CreateBucket(t.Context(), r)
	require.NoError(t, err)
	require.False(t, wasVisible, "the bucket was visible before its settings were written")

	info, err := service.BucketInfo(t.Context(), "b")
	require.NoError(t, err)
	require.True(t, info.ObjectLock)

	// A second call fails, and leaves no directory beside the bucket.
	_, err = service.CreateBucket(t.Context(), r)
	require.ErrorIs(t, err, storage.BucketExists)
	entries, err := os.ReadDir(root)
	require.NoError(t, err)
	require.Len(t, entries, 1, "a trash is left beside the bucket")
}

// CreateBucket, BucketInfo and UpdateBucket return the settings of a bucket.
func TestServiceBuckets(t *testing.T) {
	service, root := newService(t)
	yes := true
	cors := []storage.CORSRule{{Origins: []string{"*"}, MaxAge: time.Hour}}
	r := &driver.BucketRequest{Name: "one", Region: "here", Versioning: &yes, CORS: &cors}
	info, err := service.CreateBucket(t.Context(), r)
	require.NoError(t, err)

	want := &storage.BucketInfo{
		Name:       "one",
		Provider:   "local",
		Region:     "here",
		Versioning: true,
		CORS:       cors,
		Created:    time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	require.Equal(t, want, info)

	_, err = service.CreateBucket(t.Context(), r)
	require.ErrorIs(t, err, storage.BucketExists)

	info, err = service.BucketInfo(t.Context(), "one")
	require.NoError(t, err)
	require.Equal(t, want, info)

	// An update changes only the settings of its request.
	rules := []storage.LifecycleRule{{ID: "x", ExpireAfterDays: 3}}
	noCORS := []storage.CORSRule{}
	info, err = service.UpdateBucket(t.Context(),
		&driver.BucketRequest{Name: "one", PublicAccess: &yes, Lifecycle: &rules, CORS: &noCORS})
	require.NoError(t, err)
	require.True(t, info.Public && info.Versioning)
	require.Equal(t, rules, info.Lifecycle)
	require.Empty(t, info.CORS)

	second, err := service.BucketInfo(t.Context(), "one")
	require.NoError(t, err)
	require.Equal(t, info.Lifecycle, second.Lifecycle)

	// The driver of the bucket observes its settings.
	bucket := service.bucket(t, "one", root)
	require.True(t, bucket.driver.Describe().Versioned)
	require.Equal(t, "one", bucket.driver.Describe().Bucket)
	require.NotEmpty(t, bucket.put("k", "x").Version)
}

// DeleteBucket fails with BucketNotEmpty as long as the bucket has an object, a version or a delete marker.
func TestServiceDeleteBucket(t *testing.T) {
	service, root := newService(t)
	yes := true
	rules := []storage.LifecycleRule{{ID: "x", ExpireAfterDays: 3}}
	_, err := service.CreateBucket(t.Context(), &driver.BucketRequest{Name: "one", Versioning: &yes})
	require.NoError(t, err)
	_, err = service.UpdateBucket(t.Context(),
		&driver.BucketRequest{Name: "one", PublicAccess: &yes, Lifecycle: &rules})
	require.NoError(t, err)
	bucket := service.bucket(t, "one", root)

	// The bucket has an object.
	attrs := bucket.put("k", "x")
	require.ErrorIs(t, service.DeleteBucket(t.Context(), "one"), storage.BucketNotEmpty)

	// The object becomes a noncurrent version.
	bucket.remove("k")
	require.ErrorIs(t, service.DeleteBucket(t.Context(), "one"), storage.BucketNotEmpty)

	// Only the delete marker is left.
	require.NoError(t, bucket.driver.Delete(t.Context(), &driver.DeleteRequest{Key: "k", Version: attrs.Version}))
	require.ErrorIs(t, service.DeleteBucket(t.Context(), "one"), storage.BucketNotEmpty)

	// The marker is removed. Empty directories do not count.
	marker := bucket.listVersions(driver.ListRequest{})[0].Version
	require.NoError(t, bucket.driver.Delete(t.Context(), &driver.DeleteRequest{Key: "k", Version: marker}))
	require.NoError(t, os.MkdirAll(filepath.Join(root, "one", "empty", "directory"), 0o777))
	windowsCannot(t, "an open bucket cannot be removed")
	require.NoError(t, service.DeleteBucket(t.Context(), "one"))
	require.NoDirExists(t, filepath.Join(root, "one"))
	entries, err := os.ReadDir(root)
	require.NoError(t, err)
	require.Empty(t, entries)

	// Calls of the open bucket fail.
	_, _, err = bucket.getErr("k")
	require.ErrorIs(t, err, storage.BucketNotFound)
	_, err = bucket.driver.Put(t.Context(), request("k", "x"))
	require.ErrorIs(t, err, storage.BucketNotFound)
}

// If UpdateBucket turns on versioning, a bucket that was opened before keeps versions from then on, but still refuses
// WithVersion.
func TestUpdateBucketVersioning(t *testing.T) {
	service, root := newService(t)
	_, err := service.CreateBucket(t.Context(), &driver.BucketRequest{Name: "one"})
	require.NoError(t, err)
	testBucket := service.bucket(t, "one", root)
	bucket := engine.New(testBucket.driver)

	yes := true
	_, err = service.UpdateBucket(t.Context(), &driver.BucketRequest{Name: "one", Versioning: &yes})
	require.NoError(t, err)

	// The bucket was opened without the option WithVersioning.
	_, err = bucket.Attrs(t.Context(), "k", storage.WithVersion("v"))
	require.ErrorIs(t, err, storage.Unsupported)

	// The second upload makes the first one a noncurrent version.
	for range 2 {
		_, err = bucket.Upload(t.Context(), "k", strings.NewReader("x"))
		require.NoError(t, err)
	}
	require.Len(t, testBucket.listVersions(driver.ListRequest{}), 2)
}

// Calls for a missing bucket, or for a name that leads out of the service's directory, fail with BucketNotFound.
func TestBucketsMissing(t *testing.T) {
	service, root := newService(t)
	require.NoError(t, os.Symlink(t.TempDir(), filepath.Join(root, "outside")))

	for _, name := range []string{"none", "../x", ".hidden", "", "outside", "a/b"} {
		t.Run(name, func(t *testing.T) {
			_, err := service.BucketInfo(t.Context(), name)
			require.ErrorIs(t, err, storage.BucketNotFound)
			_, err = service.UpdateBucket(t.Context(), &driver.BucketRequest{Name: name})
			require.ErrorIs(t, err, storage.BucketNotFound)
			require.ErrorIs(t, service.DeleteBucket(t.Context(), name), storage.BucketNotFound)
		})
	}

	bucket := service.bucket(t, "none", root)
	_, err := bucket.driver.List(t.Context(), &driver.ListRequest{Limit: 1})
	require.ErrorIs(t, err, storage.BucketNotFound)

	_, err = service.Credentials(t.Context(), "none")
	require.ErrorIs(t, err, storage.Unsupported)
}

// ListBuckets lists the directories that can be buckets, from the position of a token on.
func TestListBuckets(t *testing.T) {
	service, root := newService(t)
	for _, name := range []string{"b", "a", ".hidden", "c"} {
		require.NoError(t, os.Mkdir(filepath.Join(root, name), 0o777))
	}
	require.NoError(t, os.WriteFile(filepath.Join(root, "file"), nil, 0o666))

	listNames := func(token string) (names []string) {
		infos, nextToken, err := service.ListBuckets(t.Context(), token)
		require.NoError(t, err)
		require.Empty(t, nextToken)
		for _, info := range infos {
			require.Equal(t, "local", info.Provider)
			names = append(names, info.Name)
		}
		return names
	}
	const fromStart = ""
	require.Equal(t, []string{"a", "b", "c"}, listNames(fromStart))
	afterB := bucketstore.Position{Key: "b"}.Token()
	require.Equal(t, []string{"c"}, listNames(afterB))

	_, _, err := service.ListBuckets(t.Context(), "???")
	require.ErrorIs(t, err, storage.InvalidArgument)
}

// parseAddress takes the directory from the path of a file URL, which must be absolute, and the Config from the URL's
// parameters.
func TestAddresses(t *testing.T) {
	tests := []struct {
		address    string
		wantPath   string
		wantConfig Config
	}{
		{address: "file:///var/data", wantPath: "/var/data"},
		{address: "file://localhost/var/data", wantPath: "/var/data"},
		{address: "file:///with%20space/%25", wantPath: "/with space/%"},
		{
			address:    "file:///d?create=true&sync=false",
			wantPath:   "/d",
			wantConfig: Config{Create: true, NoSync: true},
		},
		{address: "file:///d?create=false&sync=true", wantPath: "/d"},
		{address: "file:///d?mode=0640", wantPath: "/d", wantConfig: Config{FileMode: 0o640}},
		{address: "file:///d?sidecars=true", wantPath: "/d", wantConfig: Config{Sidecars: true}},
	}
	for _, tt := range tests {
		t.Run(tt.address, func(t *testing.T) {
			address, err := url.Parse(tt.address)
			require.NoError(t, err)

			path, config, err := parseAddress(address)
			require.NoError(t, err)
			require.Equal(t, filepath.FromSlash(tt.wantPath), path)
			require.Equal(t, tt.wantConfig, config)
		})
	}

	invalid := []struct{ name, address string }{
		{name: "flag neither true nor false", address: "file:///d?create=yes"},
		{name: "flag without a value", address: "file:///d?sync="},
		{name: "flag with another character", address: "file:///d?sidecars=1x"},
		{name: "mode without a value", address: "file:///d?mode="},
		{name: "mode in letters", address: "file:///d?mode=rw"},
		{name: "mode with more than permissions", address: "file:///d?mode=1777"},
		{name: "host without a path", address: "file://relative"},
		{name: "host of another machine", address: "file://relative/path"},
		{name: "relative path", address: "file:relative"},
		{name: "credentials", address: "file://user@/d"},
		{name: "zero byte in the path", address: "file:///d%00"},
	}
	for _, tt := range invalid {
		t.Run(tt.name, func(t *testing.T) {
			address, err := url.Parse(tt.address)
			require.NoError(t, err)

			_, _, err = parseAddress(address)
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}

// FromURL removes the slash that is before the drive in an address on Windows.
func TestAddressOnWindows(t *testing.T) {
	const isWindows = true
	require.Equal(t, "C:/dir", filepath.ToSlash(localfile.FromURL("/C:/dir", isWindows)))
}

// Opening fails if the path is empty, missing or a file.
func TestOpenErrors(t *testing.T) {
	root := t.TempDir()
	file := filepath.Join(root, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o666))

	tests := []struct {
		name   string
		root   string
		config Config
		want   error
	}{
		{name: "empty path", root: "", want: storage.InvalidArgument},
		{name: "a file", root: file, want: storage.InvalidArgument},
		{name: "below a file", root: filepath.Join(file, "x"), want: storage.BucketNotFound},
		{name: "create a file", root: file, config: Config{Create: true}, want: storage.InvalidArgument},
		{
			name:   "create a file without sync",
			root:   file,
			config: Config{Create: true, NoSync: true},
			want:   storage.InvalidArgument,
		},
		{
			name:   "create below a file",
			root:   filepath.Join(file, "x"),
			config: Config{Create: true},
			want:   storage.InvalidArgument,
		},
		{name: "missing", root: filepath.Join(root, "none"), want: storage.BucketNotFound},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := NewDriver(tt.root, tt.config)
			require.ErrorIs(t, err, tt.want)
		})
	}
}

// An address with create=true makes the directory.
func TestOpenAddressCreates(t *testing.T) {
	dir := filepath.ToSlash(filepath.Join(t.TempDir(), "created"))
	if !strings.HasPrefix(dir, "/") {
		// On Windows, the path begins with a drive letter.
		dir = "/" + dir
	}
	address, err := url.Parse("file://" + dir + "?create=true")
	require.NoError(t, err)

	d, err := openBucket(t.Context(), address)
	require.NoError(t, err)
	require.Equal(t, "created", d.Describe().Bucket)
	require.IsType(t, (*os.Root)(nil), d.Native())
	require.NoError(t, d.Close())
}
