package operations

import (
	"cmp"
	"encoding/base64"
	"encoding/xml"
	"net/http"
	"slices"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/access"
	"github.com/omnibucket/storage/s3server/internal/accounts"
	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/tagging"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

const usEast1 = "us-east-1"

type createBucketRequest struct {
	XMLName            xml.Name `xml:"CreateBucketConfiguration"`
	LocationConstraint string
	Tags               *struct{ Tag []tagging.Element }
	Location, Bucket   *struct{} // only directory buckets have these elements
}

// createBucket creates a bucket, by default in the server's region. It fails if the bucket exists, unless the bucket
// belongs to the caller and is in us-east-1, where S3 only sets its ACL again.
func createBucket(r *request.Request) error {
	if !request.ValidBucketName(r.Target.Bucket) {
		return s3error.New("InvalidBucketName", "BucketName", r.Target.Bucket)
	}
	req, err := readBucketRequest(r)
	if err != nil {
		return err
	}

	b := r.Server.NewBucket(r.Target.Bucket, r.Caller.Account)
	b.Region = cmp.Or(req.LocationConstraint, b.Region)
	b.Tags, err = req.tags()
	if err != nil {
		return err
	}

	if value := r.HTTP.Header.Get("X-Amz-Object-Ownership"); value != "" {
		if !slices.Contains(state.Ownerships, value) {
			return s3error.New("InvalidArgument", "ArgumentName", "x-amz-object-ownership", "ArgumentValue",
				value).WithMessage("Invalid x-amz-object-ownership header: %s", value)
		}
		b.Ownership = value
	}

	if request.IsTrue(r.HTTP.Header, "X-Amz-Bucket-Object-Lock-Enabled") {
		b.Locking = &state.LockSettings{}
		// Locks protect versions, so they need versioning.
		b.Versioning = state.Enabled
	}

	if err := access.SetNewACL(r.Server, b, r.HTTP.Header); err != nil {
		return err
	}

	if err := addBucket(r, b); err != nil {
		return err
	}
	r.Writer.Header().Set("Location", "/"+r.Target.Bucket)
	return r.Done(http.StatusOK)
}

// addBucket creates the bucket b in the store. If it already exists, addBucket fails or, for a bucket of the same
// account in us-east-1, resets its ACL as S3 does.
func addBucket(r *request.Request, b *state.Bucket) error {
	if err := checkBuckets(r); err != nil {
		return err
	}
	created, err := r.Server.Store.CreateBucket(r.HTTP.Context(), b)
	if err != nil || created {
		return err
	}

	// The bucket already exists.
	return r.Server.Store.ChangeBucket(r.HTTP.Context(), b.Name, func(old *state.Bucket) error {
		if old.Account != b.Account {
			return s3error.New("BucketAlreadyExists", "BucketName", b.Name)
		}
		if old.Region != usEast1 {
			return s3error.New("BucketAlreadyOwnedByYou", "BucketName", b.Name)
		}
		return access.SetNewACL(r.Server, old, r.HTTP.Header)
	})
}

// checkBuckets fails if the request would create more than Limits.MaxBuckets buckets.
func checkBuckets(r *request.Request) error {
	count := 0
	exists := false
	for b, err := range r.Server.Store.ListBuckets(r.HTTP.Context(), "") {
		if err != nil {
			return err
		}
		count++
		if b.Name == r.Target.Bucket {
			exists = true
		}
	}

	// A request for a bucket that exists creates none.
	if !exists && count >= r.Server.Limits.MaxBuckets {
		return s3error.New("TooManyBuckets")
	}
	return nil
}

// readBucketRequest reads the document of CreateBucket, which may be empty, and fails if the server cannot
// create a bucket in the region that it names.
func readBucketRequest(r *request.Request) (*createBucketRequest, error) {
	document, err := r.ReadDocument()
	if err != nil {
		return nil, err
	}

	req := createBucketRequest{}
	if len(document) > 0 {
		if err := xmldoc.Parse(document, &req); err != nil {
			return nil, err
		}
	}
	if req.Location != nil || req.Bucket != nil {
		return nil, s3error.New("NotImplemented").WithMessage("This server has no directory buckets")
	}

	// Unless it is strict, the server accepts more regions than AWS.
	location := req.LocationConstraint
	region := r.Server.Region
	isAccepted := location == "" || location == region || r.Server.AnyRegion
	if isAccepted && !r.Server.Strict {
		return &req, nil
	}

	// On AWS, a bucket in us-east-1 is created by a request without a location.
	if location == usEast1 {
		return nil, s3error.New("InvalidLocationConstraint", "LocationConstraint", location)
	}
	if location == "" && region != usEast1 {
		return nil, s3error.New("IllegalLocationConstraintException")
	}
	if location != "" && location != region {
		return nil, s3error.New("IllegalLocationConstraintException").WithMessage(
			"The %s location constraint is incompatible for the region specific endpoint this request was sent to.",
			location,
		)
	}
	return &req, nil
}

// tags returns the tags in the document, and fails if AWS would refuse them.
func (d *createBucketRequest) tags() ([]tagging.Tag, error) {
	if d.Tags == nil {
		return nil, nil
	}
	tags, err := tagging.Of(d.Tags.Tag)
	if err != nil {
		return nil, err
	}
	return tags, tagging.CheckBucket(tags)
}

// headBucket responds that the bucket exists, with its region.
func headBucket(r *request.Request) error {
	b, err := r.Bucket()
	if err != nil {
		return err
	}
	r.Writer.Header().Set("X-Amz-Bucket-Region", b.Region)
	return r.Done(http.StatusOK)
}

// deleteBucket deletes the bucket and its multipart uploads. It fails if the bucket still has
// objects, noncurrent versions or delete markers.
func deleteBucket(r *request.Request) error {
	if err := r.Server.Store.DeleteBucket(r.HTTP.Context(), r.Target.Bucket); err != nil {
		return err
	}
	r.Server.Completed.Forget(r.Target.Bucket)
	return r.Done(http.StatusNoContent)
}

// getLocation returns the region of the bucket or, like AWS, "" for us-east-1.
func getLocation(b *state.Bucket) (any, error) {
	if b.Region == usEast1 {
		return "", nil
	}
	return b.Region, nil
}

type bucketList struct {
	Owner             accounts.Owner
	Buckets           listedBuckets
	ContinuationToken string `xml:",omitempty"`
	Prefix            string `xml:",omitempty"`
}

type listedBuckets struct{ Bucket []listedBucket }

type listedBucket struct {
	Name, CreationDate string
	BucketRegion       string `xml:",omitempty"`
}

// listBuckets responds with a page of the caller's buckets, in the order of their names. The page has at most
// max-buckets of them, or 10,000 if the request has no such parameter.
func listBuckets(r *request.Request) error {
	const mostBuckets = 10_000
	maximum, err := r.Number("max-buckets", mostBuckets)
	if err != nil {
		return err
	}
	if maximum == 0 || maximum > mostBuckets {
		return s3error.New("InvalidArgument", "ArgumentName", "max-buckets").
			WithMessage("max-buckets must be between 1 and 10000")
	}

	// The token is the name of the last bucket of the page before.
	token := r.Query.Get("continuation-token")
	startAfter, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return s3error.New("InvalidArgument", "ArgumentName", "continuation-token").
			WithMessage("The continuation token provided is incorrect")
	}

	prefix := r.Query.Get("prefix")
	region := r.Query.Get("bucket-region")
	var page []listedBucket
	nextToken := ""

	// No bucket of the page precedes its prefix, or the last bucket of the page before.
	start := max(string(startAfter), prefix)
	for b, err := range r.Server.Store.ListBuckets(r.HTTP.Context(), start) {
		if err != nil {
			return err
		}
		// The page before ends with this bucket.
		if token != "" && b.Name == string(startAfter) {
			continue
		}
		if b.Account != r.Caller.Account {
			continue
		}
		if region != "" && b.Region != region {
			continue
		}
		// Names with the prefix follow one another, so no later bucket has it.
		if !strings.HasPrefix(b.Name, prefix) {
			break
		}

		// The page is full, and this bucket shows that there is another one.
		if len(page) == maximum {
			nextToken = base64.StdEncoding.EncodeToString([]byte(page[maximum-1].Name))
			break
		}
		page = append(page, listedBucket{
			Name:         b.Name,
			CreationDate: xmldoc.Time(b.Created),
			BucketRegion: b.Region,
		})
	}
	return r.WriteXML("ListAllMyBucketsResult", bucketList{
		Owner:             accounts.OwnerOf(r.Caller.Account),
		Buckets:           listedBuckets{Bucket: page},
		ContinuationToken: nextToken,
		Prefix:            prefix,
	})
}
