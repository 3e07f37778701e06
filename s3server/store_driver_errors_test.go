package s3server_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/s3server"
)

// A failingService is far away. If err is not nil, requests for objects fail with it.
type failingService struct {
	driver.ServiceDriver
	err         error
	headErr     error                                                             // of requests for attributes of objects
	fixedParts  bool                                                              // it takes parts in order only
	keepsRecord bool                                                              // records of uploads cannot be removed
	puts        func(next func() (*storage.Attrs, error)) (*storage.Attrs, error) // of the object k, if not nil
}

func (s *failingService) Driver(name string) (driver.Driver, error) {
	d, err := s.ServiceDriver.Driver(name)
	return &failingDriver{distant{d}, s}, err
}

// A failingDriver opens a bucket of a failingService. The requests for the object k fail.
type failingDriver struct {
	driver.Driver
	service *failingService
}

func (d *failingDriver) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.FixedParts = d.service.fixedParts
	return desc
}

// Head fails with the service's headErr.
func (d *failingDriver) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	if err := d.service.headErr; err != nil && r.Key == "k" {
		return nil, err
	}
	return d.Driver.Head(ctx, r)
}

// Get fails with the service's err.
func (d *failingDriver) Get(
	ctx context.Context, r *driver.GetRequest,
) (*storage.Attrs, io.ReadCloser, error) {
	if err := d.service.err; err != nil && r.Key == "k" {
		return nil, nil, err
	}
	return d.Driver.Get(ctx, r)
}

// Put fails with the service's err. If the service has a function puts, this function decides when the object is
// written and what Put returns.
func (d *failingDriver) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	if err := d.service.err; err != nil && r.Key == "k" {
		return nil, err
	}
	if puts := d.service.puts; puts != nil && r.Key == "k" {
		return puts(func() (*storage.Attrs, error) { return d.Driver.Put(ctx, r) })
	}
	return d.Driver.Put(ctx, r)
}

// Delete fails with the service's err. If the service has the flag keepsRecord, Delete also fails for the records of
// uploads.
func (d *failingDriver) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	if err := d.service.err; err != nil && r.Key == "k" {
		return err
	}
	if d.service.keepsRecord && strings.Contains(r.Key, "uploads/") {
		return storage.Unavailable
	}
	return d.Driver.Delete(ctx, r)
}

// SetTags fails with the service's err.
func (d *failingDriver) SetTags(ctx context.Context, r *driver.ChangeRequest) error {
	if err := d.service.err; err != nil && r.Key == "k" {
		return err
	}
	return d.Driver.SetTags(ctx, r)
}

// If the store fails while the server checks a permission, the client gets a 503 and tries again, not AccessDenied.
func TestStoreFailureIsNoRefusal(t *testing.T) {
	service := &failingService{ServiceDriver: memstore.NewServiceDriver(memstore.ServiceConfig{})}
	s := startServer(t, s3server.Config{Service: service, Credentials: twoAccounts})
	s.put(t, "k", "content")

	// The server needs the attributes of the object to decide what another account may do, and the store fails.
	service.headErr = storage.Unavailable

	// Both requests have the header, but only GetObjectAttributes, the second one, uses it.
	tests := []struct{ name, path string }{
		{name: "permission for the operation", path: "/photos/k?tagging"},
		{name: "permission for a header", path: "/photos/k?attributes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			response, body := s.sendAs(t, otherKey, "GET", tt.path, "", map[string]string{
				"X-Amz-Object-Attributes": "ETag",
			})
			require.Equal(t, 503, response.StatusCode, body)
		})
	}
}

// If the object is gone by the time PutObjectTagging changes it, the server responds with 503 and the client tries
// again.
func TestStoreChangeOfReplacedObjectFails(t *testing.T) {
	service := &failingService{ServiceDriver: memstore.NewServiceDriver(memstore.ServiceConfig{})}
	s := startServer(t, s3server.Config{Service: service})
	s.put(t, "k", "content")

	service.err = storage.ObjectNotFound
	_, err := s.PutObjectTagging(t.Context(), &s3.PutObjectTaggingInput{
		Bucket:  aws.String(bucket),
		Key:     aws.String("k"),
		Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}}},
	})
	requireFailure(t, err, 503, "ServiceUnavailable")
}

// The log has the text of the store's error. The client gets only S3's message, without hosts and IDs of the
// store.
func TestStoreErrorTextIsOnlyInLog(t *testing.T) {
	service := &failingService{ServiceDriver: memstore.NewServiceDriver(memstore.ServiceConfig{})}
	logged := make(chan s3server.Entry, 100)
	s := startServer(t, s3server.Config{
		Service: service,
		Log: func(e s3server.Entry) {
			logged <- e
		},
	})
	s.put(t, "k", "content")

	tests := []struct {
		code storage.Code
		want string
	}{
		{code: storage.Unavailable, want: "Service is unable to handle request."},
		{code: storage.PermissionDenied, want: "Access Denied"},
		{code: storage.InvalidArgument, want: "Invalid Argument"},
		{
			code: storage.Unsupported,
			want: "A header you provided implies functionality that is not implemented",
		},
		{code: storage.Internal, want: "We encountered an internal error. Please try again."},
	}
	for _, tt := range tests {
		service.err = &storage.Error{
			Code:   tt.code,
			Status: 503,
			Hint:   "check endpoint=",
			Err:    errors.New("GET https://host.example/k?sig=secret: RESPONSE 503, RequestId: 1234"),
		}
		_, err := s.GetObject(t.Context(), &s3.GetObjectInput{
			Bucket: aws.String(bucket),
			Key:    aws.String("k"),
		})

		var api smithy.APIError
		require.ErrorAs(t, err, &api)
		require.Equal(t, tt.want, api.ErrorMessage(), tt.code)

		output, err := s.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{
			Bucket: aws.String(bucket),
			Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: aws.String("k")}}},
		})
		require.NoError(t, err)
		require.Equal(t, tt.want, *output.Errors[0].Message, tt.code)

		entry := <-logged
		for entry.Operation != "GetObject" {
			entry = <-logged
		}
		require.Contains(t, entry.Message, "host.example")
		require.Contains(t, entry.Message, "RequestId: 1234")
		require.NotContains(t, entry.Message, "secret")
	}

	service.err = &storage.Error{
		Code: storage.InvalidArgument,
		Err:  errors.New("key must not be long"),
		Hint: "use a short one",
	}
	_, err := s.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")})
	require.ErrorContains(t, err, "key must not be long (use a short one)", "the driver's own text stays")
}

// Each error code of a store becomes an error code of S3.
func TestStoreErrorsHaveCodes(t *testing.T) {
	service := &failingService{ServiceDriver: memstore.NewServiceDriver(memstore.ServiceConfig{})}
	s := startServer(t, s3server.Config{Service: service})
	s.put(t, "k", "content")

	tests := map[error]struct {
		status int
		code   string
	}{
		storage.RateLimited:      {503, "SlowDown"},
		storage.Unavailable:      {503, "ServiceUnavailable"},
		storage.DeadlineExceeded: {503, "ServiceUnavailable"},
		storage.PermissionDenied: {403, "AccessDenied"},
		storage.Unauthenticated:  {403, "AccessDenied"},
		&storage.Error{
			Code: storage.PermissionDenied,
			Err:  &fs.PathError{Op: "open", Path: "k", Err: syscall.EROFS},
		}: {403, "AllAccessDisabled"},
		&storage.Error{
			Code: storage.PermissionDenied,
			Err:  &fs.PathError{Op: "open", Path: "k", Err: syscall.EACCES},
		}: {403, "AllAccessDisabled"},
		storage.Unsupported:      {501, "NotImplemented"},
		storage.ChecksumMismatch: {500, "InternalError"},
		&storage.Error{
			Code: storage.Unavailable,
			Err:  errors.New("the network is down"),
		}: {503, "ServiceUnavailable"},
		&storage.Error{
			Code:    storage.Unavailable,
			Unknown: true,
			Err:     errors.New("it is lost"),
		}: {500, "InternalError"},
		errors.New("anything else"): {500, "InternalError"},
		&storage.Error{
			Code: storage.Internal,
			Err:  fs.ErrClosed,
		}: {404, "NoSuchBucket"}, // it was deleted meanwhile
		&storage.Error{Code: storage.BucketNotFound, Unknown: true}: {404, "NoSuchBucket"},
	}
	for err, tt := range tests {
		service.err = err
		_, failure := s.PutObject(t.Context(), putInput("k", "x"))
		requireFailure(t, failure, tt.status, tt.code)

		_, failure = s.GetObject(t.Context(), &s3.GetObjectInput{
			Bucket: aws.String(bucket),
			Key:    aws.String("k"),
		})
		requireFailure(t, failure, tt.status, tt.code)
		_, failure = s.DeleteObject(t.Context(), &s3.DeleteObjectInput{
			Bucket: aws.String(bucket),
			Key:    aws.String("k"),
		})
		requireFailure(t, failure, tt.status, tt.code)

		output, failure := s.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{
			Bucket: aws.String(bucket),
			Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: aws.String("k")}}},
		})
		require.NoError(t, failure)
		require.Equal(t, tt.code, *output.Errors[0].Code)
	}

	service.err = nil
	require.Equal(t, "content", s.get(t, "k"))
}

// If the upload cannot be removed after a completion, a repeated completion does not make the object again. It may
// have been replaced or removed since.
func TestCompleteIfUploadCannotBeRemoved(t *testing.T) {
	tests := []struct {
		name                string
		fixedParts, another bool
		before              string // "" is no object
		status              int    // of another server
		code                string
	}{
		{name: "uploads of the store"},
		{
			name:    "uploads of the store, another server",
			another: true,
			before:  "older",
			status:  400,
			code:    "InvalidPart",
		},
		{name: "staged parts", fixedParts: true},
		{
			name:       "staged parts, another server",
			fixedParts: true,
			another:    true,
			status:     404,
			code:       "NoSuchUpload",
		},
		{
			name:       "staged parts over an object, another server",
			fixedParts: true,
			another:    true,
			before:     "older",
			status:     404,
			code:       "NoSuchUpload",
		},
	}
	for _, tt := range tests {
		for _, content := range []string{"newer", ""} {
			t.Run(tt.name+", then "+content, func(t *testing.T) {
				service := &failingService{
					ServiceDriver: memstore.NewServiceDriver(memstore.ServiceConfig{}),
					fixedParts:    tt.fixedParts,
					keepsRecord:   true,
				}
				s := startServer(t, s3server.Config{Service: service})
				if tt.before != "" {
					s.put(t, "k", tt.before)
				}
				upload := s.beginUpload(t, "k")
				input := completeInput("k", upload, s.uploadPart(t, "k", upload, 1, "0123456789"))
				first, err := s.CompleteMultipartUpload(t.Context(), input)
				require.NoError(t, err)
				if content == "" {
					_, err = s.DeleteObject(t.Context(), &s3.DeleteObjectInput{
						Bucket: aws.String("photos"),
						Key:    aws.String("k"),
					})
					require.NoError(t, err)
				} else {
					s.put(t, "k", content)
				}
				if tt.another {
					_, err = startServer(t,
						s3server.Config{Service: service}).CompleteMultipartUpload(t.Context(), input)
					requireFailure(t, err, tt.status, tt.code)
				} else {
					second, err := s.CompleteMultipartUpload(t.Context(), input)
					require.NoError(t, err)
					require.Equal(t, first.ETag, second.ETag)
				}
				if content != "" {
					require.Equal(t, content, s.get(t, "k"))
					return
				}

				_, err = s.HeadObject(t.Context(), &s3.HeadObjectInput{
					Bucket: aws.String("photos"),
					Key:    aws.String("k"),
				})
				require.Error(t, err)
			})
		}
	}
}

// A completion of staged parts succeeds even if another client writes the key at the same time, or the store's
// response is lost.
func TestCompleteStagedAmongOtherWrites(t *testing.T) {
	tests := []struct {
		name string
		// put takes the place of the completion's write to the store. next makes that write.
		put func(t *testing.T, s *store, next func() (*storage.Attrs, error)) (*storage.Attrs, error)
	}{
		{
			name: "others write before",
			put: func(t *testing.T, s *store, next func() (*storage.Attrs, error)) (*storage.Attrs, error) {
				s.put(t, "k", "other")
				return next()
			},
		},
		{
			name: "the response is lost",
			put: func(t *testing.T, s *store, next func() (*storage.Attrs, error)) (*storage.Attrs, error) {
				_, err := next()
				require.NoError(t, err)
				return nil, &storage.Error{Code: storage.Unavailable, Unknown: true}
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			service := &failingService{
				ServiceDriver: memstore.NewServiceDriver(memstore.ServiceConfig{}),
				fixedParts:    true,
			}
			s := startServer(t, s3server.Config{Service: service})
			upload := s.beginUpload(t, "k")
			input := completeInput("k", upload, s.uploadPart(t, "k", upload, 1, "0123456789"))
			// Only the first write of the key runs tt.put, which may itself write the key.
			service.puts = func(next func() (*storage.Attrs, error)) (*storage.Attrs, error) {
				service.puts = nil
				return tt.put(t, s, next)
			}

			output, err := s.CompleteMultipartUpload(t.Context(), input)
			require.NoError(t, err)
			require.NotEmpty(t, output.ETag)
			require.Equal(t, "0123456789", s.get(t, "k"))
		})
	}
}

// After a restart, only the object shows that its upload was completed, so a repeated completion fails if the server
// cannot read the object.
func TestStoreCannotReadCompletedObject(t *testing.T) {
	service := &failingService{ServiceDriver: memstore.NewServiceDriver(memstore.ServiceConfig{})}
	s := startServer(t, s3server.Config{Service: service})
	upload := s.beginUpload(t, "k")
	input := completeInput("k", upload, s.uploadPart(t, "k", upload, 1, "0123456789"))
	_, err := s.CompleteMultipartUpload(t.Context(), input)
	require.NoError(t, err)

	restarted := startServer(t, s3server.Config{Service: service})
	service.headErr = storage.Unavailable
	_, err = restarted.CompleteMultipartUpload(t.Context(), input)
	requireFailure(t, err, 503, "ServiceUnavailable")

	service.headErr = nil
	_, err = restarted.CompleteMultipartUpload(t.Context(), input)
	require.NoError(t, err)
}

// An overwritingService replaces an object before each of the first reads of one of its versions.
type overwritingService struct {
	driver.ServiceDriver
	overwrites int
}

func (s *overwritingService) Driver(name string) (driver.Driver, error) {
	d, err := s.ServiceDriver.Driver(name)
	return &overwritingDriver{d, s}, err
}

type overwritingDriver struct {
	driver.Driver
	service *overwritingService
}

// Get of a version first replaces the object and removes the version, as long as the service has overwrites left.
func (d *overwritingDriver) Get(
	ctx context.Context, r *driver.GetRequest,
) (*storage.Attrs, io.ReadCloser, error) {
	if r.Version != "" && d.service.overwrites > 0 {
		d.service.overwrites--
		const content = "newer"
		_, err := d.Put(ctx, &driver.PutRequest{
			Key:  r.Key,
			Body: strings.NewReader(content),
			Size: int64(len(content)),
		})
		if err != nil {
			return nil, nil, err
		}
		err = d.Delete(ctx, &driver.DeleteRequest{Key: r.Key, Version: r.Version})
		if err != nil {
			return nil, nil, err
		}
	}
	return d.Driver.Get(ctx, r)
}

// If the null version is replaced while GetObject looks for it, GetObject returns the new one.
func TestVersionNullReplacedIsFound(t *testing.T) {
	service := &overwritingService{ServiceDriver: memstore.NewServiceDriver(memstore.ServiceConfig{})}
	s := startServer(t, s3server.Config{Service: service})
	s.setVersioning(t, types.BucketVersioningStatusSuspended)
	s.put(t, "k", "older")

	service.overwrites = 2
	require.Equal(t, "newer", s.getVersion(t, "k", "null"))
	require.Zero(t, service.overwrites)
}
