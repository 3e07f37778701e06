package s3server_test

import (
	"context"
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

// Buckets are created.
func TestCreateBucket(t *testing.T) {
	located := func(region string) *types.CreateBucketConfiguration {
		return &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(region)}
	}
	for name, test := range map[string]struct {
		region, bucket string
		in             s3.CreateBucketInput
		status         int
		code           string
	}{
		"new":                           {"us-east-1", "new", s3.CreateBucketInput{}, 0, ""},
		"new, elsewhere":                {"eu-west-1", "new", s3.CreateBucketInput{CreateBucketConfiguration: located("eu-west-1")}, 0, ""},
		"elsewhere, without a location": {"eu-west-1", "new", s3.CreateBucketInput{}, 400, "IllegalLocationConstraintException"},
		"in another region":             {"us-east-1", "new", s3.CreateBucketInput{CreateBucketConfiguration: located("eu-west-1")}, 400, "IllegalLocationConstraintException"},
		"us-east-1 by name":             {"us-east-1", "new", s3.CreateBucketInput{CreateBucketConfiguration: located("us-east-1")}, 400, "InvalidLocationConstraint"},
		"ours, in us-east-1":            {"us-east-1", bucket, s3.CreateBucketInput{}, 0, ""},
		"ours, elsewhere":               {"eu-west-1", bucket, s3.CreateBucketInput{CreateBucketConfiguration: located("eu-west-1")}, 409, "BucketAlreadyOwnedByYou"},
		"somebody else's":               {"us-east-1", "taken", s3.CreateBucketInput{}, 409, "BucketAlreadyExists"},
		"an invalid name":               {"us-east-1", "New", s3.CreateBucketInput{}, 400, "InvalidBucketName"},
		"an address":                    {"us-east-1", "127.0.0.1", s3.CreateBucketInput{}, 400, "InvalidBucketName"},
		"public by a list":              {"us-east-1", "new", s3.CreateBucketInput{ACL: types.BucketCannedACLPublicRead}, 400, "InvalidBucketAclWithObjectOwnership"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, s3server.Config{Region: test.region, Credentials: twoAccounts}, func(o *s3.Options) {
				o.Region = test.region
			})
			_, err := s.clientOf(1, func(o *s3.Options) {
				o.Region = test.region
			}).CreateBucket(t.Context(), &s3.CreateBucketInput{
				Bucket:                    aws.String("taken"),
				CreateBucketConfiguration: located(map[bool]string{true: "", false: test.region}[test.region == "us-east-1"]),
			})
			require.NoError(t, err)
			test.in.Bucket = &test.bucket
			_, err = s.CreateBucket(t.Context(), &test.in)
			if test.code != "" {
				failsWith(t, err, test.status, test.code)
				return
			}
			require.NoError(t, err)
			head, err := s.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: &test.bucket})
			require.NoError(t, err)
			require.Equal(t, test.region, *head.BucketRegion)
			where, err := s.GetBucketLocation(t.Context(), &s3.GetBucketLocationInput{Bucket: &test.bucket})
			require.NoError(t, err)
			if test.region == "us-east-1" {
				require.Empty(t, where.LocationConstraint)
			} else {
				require.Equal(t, test.region, string(where.LocationConstraint))
			}
		})
	}
}

// Buckets are listed and removed.
func TestListBuckets(t *testing.T) {
	s := start(t, s3server.Config{Buckets: []string{bucket, "aaa", "zzz", "mmm"}})
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

	s.keepVersions(t, types.BucketVersioningStatusEnabled)
	s.put(t, "k", "x")
	remove := func() error {
		_, err := s.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: aws.String(bucket)})
		return err
	}
	failsWith(t, remove(), 409, "BucketNotEmpty")
	s.remove(t, "k", "")
	failsWith(t, remove(), 409, "BucketNotEmpty")
	for _, id := range s.versions(t, 10) {
		s.remove(t, "k", map[bool]string{true: id[1:], false: id}[id[0] == '!'])
	}
	s.begin(t, "k") // an upload does not prevent the deletion
	require.NoError(t, remove())
	failsWith(t, remove(), 404, "NoSuchBucket")
	_, err := s.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String(bucket)})
	failsWith(t, err, 404, "NotFound")
}

// A busyService calls meanwhile after it has made a bucket.
type busyService struct {
	driver.ServiceDriver
	meanwhile func()
}

func (s *busyService) CreateBucket(ctx context.Context, r *driver.BucketRequest) (*storage.BucketInfo, error) {
	info, err := s.ServiceDriver.CreateBucket(ctx, r)
	if s.meanwhile != nil {
		f := s.meanwhile
		s.meanwhile = nil
		f()
	}
	return info, err
}

func (s *busyService) PrivateDriver(ctx context.Context, bucket string, create bool) (driver.Driver, error) {
	return s.ServiceDriver.(driver.PrivateDriver).PrivateDriver(ctx, bucket, create)
}

// If another request creates or deletes the bucket during CreateBucket, CreateBucket fails with OperationAborted.
func TestCreateBucketBesideDeleteBucket(t *testing.T) {
	directory, err := local.NewServiceDriver(t.TempDir(), local.Config{NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = directory.Close() })
	for store, service := range map[string]driver.ServiceDriver{
		"directory": directory,
		"memory":    memstore.NewServiceDriver(memstore.ServiceConfig{}),
	} {
		busy := &busyService{ServiceDriver: service}
		s := start(t, s3server.Config{Service: busy})
		create := func() error {
			_, err := s.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("busy")})
			return err
		}
		remove := func() error {
			_, err := s.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: aws.String("busy")})
			return err
		}
		busy.meanwhile = func() { require.NoError(t, create()) }
		failsWith(t, create(), 409, "OperationAborted")
		require.NoError(t, remove(), store)
		busy.meanwhile = func() { require.NoError(t, remove()) }
		failsWith(t, create(), 409, "OperationAborted")
		busy.meanwhile = func() {
			require.NoError(t, remove())
			require.NoError(t, create())
		}
		failsWith(t, create(), 409, "OperationAborted")
		require.NoError(t, remove(), store)
		require.NoError(t, create(), store)
	}
}
