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

// A failingService is a service that seems far away. If err is not nil, requests for objects fail
// with err.
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

// If the store fails while the server checks a permission, the client gets a 503 instead of
// AccessDenied, and tries again.
func TestStoreFailureIsNoRefusal(t *testing.T) {
	service := &failingService{ServiceDriver: memstore.NewServiceDriver(memstore.ServiceConfig{})}
	s := startServer(t, s3server.Config{Service: service, Credentials: twoAccounts})
	s.put(t, "k", "content")

	// The server needs the attributes of the object to decide what another account may do. The
	// store fails to return them.
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

// If another client removes the object during PutObjectTagging, the request fails with 503, so that
// its client tries again.
func TestStoreChangeOfReplacedObjectFails(t *testing.T) {
	service := &failingService{ServiceDriver: memstore.NewServiceDriver(memstore.ServiceConfig{})}
	s := startServer(t, s3server.Config{Service: service})
	s.put(t, "k", "content")

	// The server still finds the object, but the store does not find it when the server changes the
	// tags.
	service.err = storage.ObjectNotFound
	_, err := s.PutObjectTagging(t.Context(), &s3.PutObjectTaggingInput{
		Bucket:  aws.String(bucket),
		Key:     aws.String("k"),
		Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}}},
	})
	requireFailure(t, err, 503, "ServiceUnavailable")
}

// The client gets S3's message for an error of the store. Only the log has the text of the error, because it may show
// hosts and IDs of the store.
func TestStoreErrorTextIsOnlyInLog(t *testing.T) {
	service := &failingService{ServiceDriver: memstore.NewServiceDriver(memstore.ServiceConfig{})}
	logOfGets := make(chan s3server.Entry, 1)
	s := startServer(t, s3server.Config{
		Service: service,
		Log: func(e s3server.Entry) {
			if e.Operation == "GetObject" {
				logOfGets <- e
			}
		},
	})
	s.put(t, "k", "content")

	tests := []struct {
		code        storage.Code
		wantMessage string
	}{
		{code: storage.Unavailable, wantMessage: "Service is unable to handle request."},
		{code: storage.PermissionDenied, wantMessage: "Access Denied"},
		{code: storage.InvalidArgument, wantMessage: "Invalid Argument"},
		{
			code:        storage.Unsupported,
			wantMessage: "A header you provided implies functionality that is not implemented",
		},
		{code: storage.Internal, wantMessage: "We encountered an internal error. Please try again."},
	}
	for _, tt := range tests {
		t.Run(string(tt.code), func(t *testing.T) {
			service.err = &storage.Error{
				Code:   tt.code,
				Status: 503,
				Hint:   "check endpoint=",
				Err:    errors.New("GET https://host.example/k?sig=secret: RESPONSE 503, RequestId: 1234"),
			}

			// The client gets only S3's message, also in the response to DeleteObjects.
			_, err := s.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")})
			var api smithy.APIError
			require.ErrorAs(t, err, &api)
			require.Equal(t, tt.wantMessage, api.ErrorMessage())

			output, err := s.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{
				Bucket: aws.String(bucket),
				Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: aws.String("k")}}},
			})
			require.NoError(t, err)
			require.Equal(t, tt.wantMessage, *output.Errors[0].Message)

			// The log has the text of the store's error, without the secret in the URL.
			logged := <-logOfGets
			require.Contains(t, logged.Message, "host.example")
			require.Contains(t, logged.Message, "RequestId: 1234")
			require.NotContains(t, logged.Message, "secret")
		})
	}
}

// If a driver refuses an argument itself, without a response of the store, the client gets the driver's text and hint.
func TestStoreErrorTextOfDriverIsInResponse(t *testing.T) {
	service := &failingService{ServiceDriver: memstore.NewServiceDriver(memstore.ServiceConfig{})}
	s := startServer(t, s3server.Config{Service: service})
	s.put(t, "k", "content")

	service.err = &storage.Error{
		Code: storage.InvalidArgument,
		Err:  errors.New("key must not be long"),
		Hint: "use a short one",
	}

	_, err := s.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")})
	require.ErrorContains(t, err, "key must not be long (use a short one)")
}

// Each error of a store becomes an error code of S3.
func TestStoreErrorsHaveCodes(t *testing.T) {
	service := &failingService{ServiceDriver: memstore.NewServiceDriver(memstore.ServiceConfig{})}
	s := startServer(t, s3server.Config{Service: service})
	s.put(t, "k", "content")

	tests := []struct {
		name       string
		err        error // of the store
		wantStatus int
		wantCode   string
	}{
		{name: "rate limited", err: storage.RateLimited, wantStatus: 503, wantCode: "SlowDown"},
		{name: "unavailable", err: storage.Unavailable, wantStatus: 503, wantCode: "ServiceUnavailable"},
		{name: "deadline exceeded", err: storage.DeadlineExceeded, wantStatus: 503, wantCode: "ServiceUnavailable"},
		{name: "permission denied", err: storage.PermissionDenied, wantStatus: 403, wantCode: "AccessDenied"},
		{name: "unauthenticated", err: storage.Unauthenticated, wantStatus: 403, wantCode: "AccessDenied"},
		{
			name: "read-only file system",
			err: &storage.Error{
				Code: storage.PermissionDenied,
				Err:  &fs.PathError{Op: "open", Path: "k", Err: syscall.EROFS},
			},
			wantStatus: 403,
			wantCode:   "AllAccessDisabled",
		},
		{
			name: "permission of a file missing",
			err: &storage.Error{
				Code: storage.PermissionDenied,
				Err:  &fs.PathError{Op: "open", Path: "k", Err: syscall.EACCES},
			},
			wantStatus: 403,
			wantCode:   "AllAccessDisabled",
		},
		{name: "unsupported", err: storage.Unsupported, wantStatus: 501, wantCode: "NotImplemented"},
		{name: "checksum mismatch", err: storage.ChecksumMismatch, wantStatus: 500, wantCode: "InternalError"},
		{
			name:       "network down",
			err:        &storage.Error{Code: storage.Unavailable, Err: errors.New("the network is down")},
			wantStatus: 503,
			wantCode:   "ServiceUnavailable",
		},
		{
			name:       "response lost",
			err:        &storage.Error{Code: storage.Unavailable, Unknown: true, Err: errors.New("it is lost")},
			wantStatus: 500,
			wantCode:   "InternalError",
		},
		{name: "error without a code", err: errors.New("anything else"), wantStatus: 500, wantCode: "InternalError"},
		{
			name:       "bucket closed, because it was deleted meanwhile",
			err:        &storage.Error{Code: storage.Internal, Err: fs.ErrClosed},
			wantStatus: 404,
			wantCode:   "NoSuchBucket",
		},
		{
			name:       "bucket not found",
			err:        &storage.Error{Code: storage.BucketNotFound, Unknown: true},
			wantStatus: 404,
			wantCode:   "NoSuchBucket",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			service.err = tt.err

			_, err := s.PutObject(t.Context(), putInput("k", "x"))
			requireFailure(t, err, tt.wantStatus, tt.wantCode)
			_, err = s.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")})
			requireFailure(t, err, tt.wantStatus, tt.wantCode)
			_, err = s.DeleteObject(t.Context(), &s3.DeleteObjectInput{
				Bucket: aws.String(bucket),
				Key:    aws.String("k"),
			})
			requireFailure(t, err, tt.wantStatus, tt.wantCode)

			// DeleteObjects itself succeeds, and reports the error of the object.
			output, err := s.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{
				Bucket: aws.String(bucket),
				Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: aws.String("k")}}},
			})
			require.NoError(t, err)
			require.Equal(t, tt.wantCode, *output.Errors[0].Code)
		})
	}

	// The refused requests have not changed the object.
	service.err = nil
	require.Equal(t, "content", s.get(t, "k"))
}

// If a server cannot remove the upload after a completion, a client may repeat the completion. The
// repetition does not write the object again, because the object may have been replaced or removed
// since.
func TestCompleteIfUploadCannotBeRemoved(t *testing.T) {
	tests := []struct {
		name          string
		stagesParts   bool // true if the server stages the parts, because the store takes parts only in order
		replacesOlder bool // true if the upload replaces an older object
		onOtherServer bool // true if the completion is repeated on another server, which refuses it
		wantStatus    int  // of the other server's response
		wantCode      string
	}{
		{name: "uploads of the store"},
		{
			name:          "uploads of the store, other server",
			replacesOlder: true,
			onOtherServer: true,
			wantStatus:    400,
			wantCode:      "InvalidPart",
		},
		{name: "staged parts", stagesParts: true},
		{
			name:          "staged parts, other server",
			stagesParts:   true,
			onOtherServer: true,
			wantStatus:    404,
			wantCode:      "NoSuchUpload",
		},
		{
			name:          "staged parts over an older object, other server",
			stagesParts:   true,
			replacesOlder: true,
			onOtherServer: true,
			wantStatus:    404,
			wantCode:      "NoSuchUpload",
		},
	}
	for _, tt := range tests {
		// complete completes an upload of the object k, and returns a function that repeats the completion.
		complete := func(t *testing.T) (s *store, repeat func()) {
			// The store does not let the server remove the record of the upload.
			service := &failingService{
				ServiceDriver: memstore.NewServiceDriver(memstore.ServiceConfig{}),
				fixedParts:    tt.stagesParts,
				keepsRecord:   true,
			}
			s = startServer(t, s3server.Config{Service: service})
			if tt.replacesOlder {
				s.put(t, "k", "older")
			}
			upload := s.beginUpload(t, "k")
			input := completeInput("k", upload, s.uploadPart(t, "k", upload, 1, "0123456789"))
			first, err := s.CompleteMultipartUpload(t.Context(), input)
			require.NoError(t, err)

			return s, func() {
				t.Helper()
				if tt.onOtherServer {
					other := startServer(t, s3server.Config{Service: service})
					_, err := other.CompleteMultipartUpload(t.Context(), input)
					requireFailure(t, err, tt.wantStatus, tt.wantCode)
					return
				}
				second, err := s.CompleteMultipartUpload(t.Context(), input)
				require.NoError(t, err)
				require.Equal(t, first.ETag, second.ETag)
			}
		}

		t.Run(tt.name+", object replaced", func(t *testing.T) {
			s, repeat := complete(t)
			s.put(t, "k", "newer")
			repeat()
			require.Equal(t, "newer", s.get(t, "k"))
		})
		t.Run(tt.name+", object removed", func(t *testing.T) {
			s, repeat := complete(t)
			s.deleteObject(t, "k")
			repeat()
			require.NotContains(t, s.keys(t), "k")
		})
	}
}

// A completion of staged parts succeeds even if another client writes the key at the same time, or the store's
// response is lost.
func TestCompleteStagedAmongOtherWrites(t *testing.T) {
	type putFunc = func() (*storage.Attrs, error)
	tests := []struct {
		name string
		// putInstead replaces the store's Put of the completed object. It calls put for the Put itself.
		putInstead func(t *testing.T, s *store, put putFunc) (*storage.Attrs, error)
	}{
		{
			name: "another client writes just before",
			putInstead: func(t *testing.T, s *store, put putFunc) (*storage.Attrs, error) {
				s.put(t, "k", "other")
				return put()
			},
		},
		{
			name: "response lost",
			putInstead: func(t *testing.T, s *store, put putFunc) (*storage.Attrs, error) {
				_, err := put()
				require.NoError(t, err)
				return nil, &storage.Error{Code: storage.Unavailable, Unknown: true}
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			service := &failingService{
				ServiceDriver: memstore.NewServiceDriver(memstore.ServiceConfig{}),
				fixedParts:    true, // the server stages parts, because the store takes them only in order
			}
			s := startServer(t, s3server.Config{Service: service})
			upload := s.beginUpload(t, "k")
			input := completeInput("k", upload, s.uploadPart(t, "k", upload, 1, "0123456789"))
			service.puts = func(put putFunc) (*storage.Attrs, error) {
				service.puts = nil // only the first Put is replaced
				return tt.putInstead(t, s, put)
			}

			output, err := s.CompleteMultipartUpload(t.Context(), input)
			require.NoError(t, err)
			require.NotEmpty(t, output.ETag)
			require.Equal(t, "0123456789", s.get(t, "k"))
		})
	}
}

// After a restart, the server finds out by reading the object whether an upload was completed. If it cannot read the
// object, a repeated completion fails.
func TestStoreCannotReadCompletedObject(t *testing.T) {
	service := &failingService{ServiceDriver: memstore.NewServiceDriver(memstore.ServiceConfig{})}
	s := startServer(t, s3server.Config{Service: service})
	upload := s.beginUpload(t, "k")
	input := completeInput("k", upload, s.uploadPart(t, "k", upload, 1, "0123456789"))
	_, err := s.CompleteMultipartUpload(t.Context(), input)
	require.NoError(t, err)

	// While the restarted server cannot read the object, the repetition fails.
	restarted := startServer(t, s3server.Config{Service: service})
	service.headErr = storage.Unavailable
	_, err = restarted.CompleteMultipartUpload(t.Context(), input)
	requireFailure(t, err, 503, "ServiceUnavailable")

	// Later, it succeeds.
	service.headErr = nil
	_, err = restarted.CompleteMultipartUpload(t.Context(), input)
	require.NoError(t, err)
}

// An overwritingService replaces an object just before one of its versions is read. It does so for
// the number of reads in overwrites.
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

// Get first replaces the object and removes the requested version, as long as the service has
// overwrites left.
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

// If the null version is replaced while GetObject looks for it, GetObject returns the new null
// version.
func TestVersionNullReplacedIsFound(t *testing.T) {
	service := &overwritingService{ServiceDriver: memstore.NewServiceDriver(memstore.ServiceConfig{})}
	s := startServer(t, s3server.Config{Service: service})
	s.setVersioning(t, types.BucketVersioningStatusSuspended)
	s.put(t, "k", "older")

	service.overwrites = 2
	require.Equal(t, "newer", s.getVersion(t, "k", "null"))
	require.Zero(t, service.overwrites)
}
