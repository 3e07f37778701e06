package s3server_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/s3server"
)

// CreateBucket creates a bucket in the server's region, if the name is valid and free. The owner of a bucket in
// us-east-1 may create it again.
func TestCreateBucket(t *testing.T) {
	locatedIn := func(region string) *types.CreateBucketConfiguration {
		return &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(region)}
	}
	tests := []struct {
		name       string
		region     string // of the server
		bucket     string
		input      s3.CreateBucketInput
		wantStatus int
		wantCode   string
	}{
		{name: "new", region: "us-east-1", bucket: "new"},
		{
			name:   "new, in another region than us-east-1",
			region: "eu-west-1",
			bucket: "new",
			input:  s3.CreateBucketInput{CreateBucketConfiguration: locatedIn("eu-west-1")},
		},
		{
			name:       "location missing",
			region:     "eu-west-1",
			bucket:     "new",
			wantStatus: 400,
			wantCode:   "IllegalLocationConstraintException",
		},
		{
			name:       "location of another region",
			region:     "us-east-1",
			bucket:     "new",
			input:      s3.CreateBucketInput{CreateBucketConfiguration: locatedIn("eu-west-1")},
			wantStatus: 400,
			wantCode:   "IllegalLocationConstraintException",
		},
		{
			name:       "location us-east-1, which must be left out",
			region:     "us-east-1",
			bucket:     "new",
			input:      s3.CreateBucketInput{CreateBucketConfiguration: locatedIn("us-east-1")},
			wantStatus: 400,
			wantCode:   "InvalidLocationConstraint",
		},
		{name: "own bucket, in us-east-1", region: "us-east-1", bucket: bucket},
		{
			name:       "own bucket, in another region",
			region:     "eu-west-1",
			bucket:     bucket,
			input:      s3.CreateBucketInput{CreateBucketConfiguration: locatedIn("eu-west-1")},
			wantStatus: 409,
			wantCode:   "BucketAlreadyOwnedByYou",
		},
		{
			name:       "bucket of another account",
			region:     "us-east-1",
			bucket:     "taken",
			wantStatus: 409,
			wantCode:   "BucketAlreadyExists",
		},
		{
			name:       "invalid name",
			region:     "us-east-1",
			bucket:     "New",
			wantStatus: 400,
			wantCode:   "InvalidBucketName",
		},
		{
			name:       "IP address as name",
			region:     "us-east-1",
			bucket:     "127.0.0.1",
			wantStatus: 400,
			wantCode:   "InvalidBucketName",
		},
		{
			name:       "public ACL",
			region:     "us-east-1",
			bucket:     "new",
			input:      s3.CreateBucketInput{ACL: types.BucketCannedACLPublicRead},
			wantStatus: 400,
			wantCode:   "InvalidBucketAclWithObjectOwnership",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := startServer(t, s3server.Config{
				Region:      tt.region,
				Credentials: twoAccounts,
			}, func(o *s3.Options) {
				o.Region = tt.region
			})

			// Another account has the bucket "taken".
			takenInput := &s3.CreateBucketInput{Bucket: aws.String("taken")}
			if tt.region != "us-east-1" {
				takenInput.CreateBucketConfiguration = locatedIn(tt.region)
			}
			otherClient := s.clientOf(otherKey, func(o *s3.Options) {
				o.Region = tt.region
			})
			_, err := otherClient.CreateBucket(t.Context(), takenInput)
			require.NoError(t, err)

			input := tt.input
			input.Bucket = &tt.bucket
			_, err = s.CreateBucket(t.Context(), &input)
			if tt.wantCode != "" {
				requireFailure(t, err, tt.wantStatus, tt.wantCode)
				return
			}
			require.NoError(t, err)

			head, err := s.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: &tt.bucket})
			require.NoError(t, err)
			require.Equal(t, tt.region, *head.BucketRegion)

			location, err := s.GetBucketLocation(t.Context(), &s3.GetBucketLocationInput{Bucket: &tt.bucket})
			require.NoError(t, err)
			if tt.region == "us-east-1" {
				require.Empty(t, location.LocationConstraint)
				return
			}
			require.Equal(t, tt.region, string(location.LocationConstraint))
		})
	}
}

// ListBuckets returns the buckets in the order of their names, in pages.
func TestListBuckets(t *testing.T) {
	s := startServer(t, s3server.Config{Buckets: []string{bucket, "aaa", "zzz", "mmm"}})

	var names []string
	pages := s3.NewListBucketsPaginator(s.Client, &s3.ListBucketsInput{MaxBuckets: aws.Int32(3)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		require.NoError(t, err)
		for _, b := range page.Buckets {
			names = append(names, *b.Name)
			require.NotNil(t, b.CreationDate)
		}
	}
	require.Equal(t, []string{"aaa", "mmm", bucket, "zzz"}, names)
}

// ListBuckets refuses pages of no buckets, or of more than S3 permits.
func TestListBucketsLimit(t *testing.T) {
	s := startServer(t, s3server.Config{})

	_, err := s.Client.ListBuckets(t.Context(), &s3.ListBucketsInput{MaxBuckets: aws.Int32(10_000)})
	require.NoError(t, err)
	for _, invalid := range []int32{0, 10_001} {
		_, err = s.Client.ListBuckets(t.Context(), &s3.ListBucketsInput{MaxBuckets: aws.Int32(invalid)})
		requireFailure(t, err, 400, "InvalidArgument")
	}
}

// DeleteBucket fails until all versions and delete markers are removed. Uploads in progress do not prevent it.
func TestDeleteBucketOnlyWithoutVersions(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.setVersioning(t, types.BucketVersioningStatusEnabled)
	s.put(t, "k", "x")
	deleteBucket := func() error {
		_, err := s.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: aws.String(bucket)})
		return err
	}

	// The bucket has a current object.
	requireFailure(t, deleteBucket(), 409, "BucketNotEmpty")

	// Now it has an older version and a delete marker.
	s.deleteObject(t, "k")
	requireFailure(t, deleteBucket(), 409, "BucketNotEmpty")

	// Delete both.
	for _, id := range s.versionIDs(t, 10) {
		id = strings.TrimPrefix(id, "!") // the mark of a delete marker
		s.deleteVersion(t, "k", id)
	}

	// An upload in progress does not prevent the deletion.
	s.beginUpload(t, "k")
	require.NoError(t, deleteBucket())

	// The bucket no longer exists.
	requireFailure(t, deleteBucket(), 404, "NoSuchBucket")
	_, err := s.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String(bucket)})
	requireFailure(t, err, 404, "NotFound")
}

// A busyService calls its function meanwhile once, after CreateBucket has created a bucket and
// before the server learns of it. The function stands for another request at the same time.
type busyService struct {
	driver.ServiceDriver
	meanwhile func()
}

// CreateBucket creates the bucket, then runs s.meanwhile and clears it, because meanwhile may call CreateBucket too.
func (s *busyService) CreateBucket(
	ctx context.Context, r *driver.BucketRequest,
) (*storage.BucketInfo, error) {
	info, err := s.ServiceDriver.CreateBucket(ctx, r)
	if meanwhile := s.meanwhile; meanwhile != nil {
		s.meanwhile = nil
		meanwhile()
	}
	return info, err
}

func (s *busyService) PrivateDriver(ctx context.Context, bucket string, create bool) (driver.Driver, error) {
	return s.ServiceDriver.(driver.PrivateDriver).PrivateDriver(ctx, bucket, create)
}

// CreateBucket fails with OperationAborted if another request creates or deletes the bucket at the same time.
func TestCreateBucketBesideDeleteBucket(t *testing.T) {
	directory, err := local.NewServiceDriver(t.TempDir(), local.Config{NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = directory.Close() })

	tests := []struct {
		name    string
		service driver.ServiceDriver
	}{
		{name: "directory", service: directory},
		{name: "memory", service: memstore.NewServiceDriver(memstore.ServiceConfig{})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The service runs busy.meanwhile within the next CreateBucket.
			busy := &busyService{ServiceDriver: tt.service}
			s := startServer(t, s3server.Config{Service: busy})
			create := func() error {
				_, err := s.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("busy")})
				return err
			}
			remove := func() error {
				_, err := s.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: aws.String("busy")})
				return err
			}

			// Another request creates the bucket.
			busy.meanwhile = func() {
				require.NoError(t, create())
			}
			requireFailure(t, create(), 409, "OperationAborted")
			require.NoError(t, remove())

			// Another request deletes the bucket.
			busy.meanwhile = func() {
				require.NoError(t, remove())
			}
			requireFailure(t, create(), 409, "OperationAborted")

			// Other requests delete the bucket and create it again.
			busy.meanwhile = func() {
				require.NoError(t, remove())
				require.NoError(t, create())
			}
			requireFailure(t, create(), 409, "OperationAborted")

			// After the failed request, the bucket can be removed and created as before.
			require.NoError(t, remove())
			require.NoError(t, create())
		})
	}
}
