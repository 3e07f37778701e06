package s3server

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/xml"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/s3server/internal/accounts"
	"github.com/omnibucket/storage/s3server/internal/policy"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/tagging"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

const usEast1 = "us-east-1"

var bucketName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)
var address = regexp.MustCompile(`^\d+\.\d+\.\d+\.\d+$`)

func validBucketName(name string) bool {
	return len(name) >= 3 && len(name) <= 63 && bucketName.MatchString(name) && !address.MatchString(name) &&
		!strings.HasPrefix(name, "xn--") && !strings.HasSuffix(name, "-s3alias")
}

// checkBucketName fails if the name of a bucket is invalid. It is for names that the calling
// program passes, and not for names in requests.
func checkBucketName(name string) error {
	if validBucketName(name) {
		return nil
	}
	return argument.Invalid("bucket", "must have 3 to 63 characters of a-z, 0-9, - and ., but is "+strconv.Quote(name), "")
}

type createBucketRequest struct {
	XMLName            xml.Name `xml:"CreateBucketConfiguration"`
	LocationConstraint string
	Tags               *struct{ Tag []tagging.Element }
	Location, Bucket   *struct{} // only directory buckets have these elements
}

// createBucket creates a bucket, by default in the server's region. If the bucket exists in
// us-east-1 and belongs to the caller, createBucket sets the bucket's ACL again. For any other
// existing bucket, createBucket fails.
func createBucket(r *request) error {
	if !validBucketName(r.target.bucket) {
		return s3error.New("InvalidBucketName", "BucketName", r.target.bucket)
	}
	req, err := readBucketRequest(r)
	if err != nil {
		return err
	}
	b := r.server.newBucket(r.target.bucket, r.caller.account)
	b.Region = cmp.Or(req.LocationConstraint, b.Region)
	if b.Tags, err = req.tags(); err != nil {
		return err
	}
	if value := r.in.Header.Get("X-Amz-Object-Ownership"); value != "" {
		if !slices.Contains(state.Ownerships, value) {
			return s3error.New("InvalidArgument", "ArgumentName", "x-amz-object-ownership", "ArgumentValue",
				value).WithMessage("Invalid x-amz-object-ownership header: %s", value)
		}
		b.Ownership = value
	}
	if isTrue(r.in.Header, "X-Amz-Bucket-Object-Lock-Enabled") {
		b.Locking = &state.LockSettings{}
		b.Versioning = state.Enabled
	}
	if err := setNewACL(r.server, b, r.in.Header); err != nil {
		return err
	}
	if err := addBucket(r, b); err != nil {
		return err
	}
	r.w.Header().Set("Location", "/"+r.target.bucket)
	return r.done(http.StatusOK)
}

func addBucket(r *request, b *state.Bucket) error {
	if err := checkBuckets(r); err != nil {
		return err
	}
	created, err := r.server.store.CreateBucket(r.in.Context(), b)
	if err != nil || created {
		return err
	}
	return r.server.store.ChangeBucket(r.in.Context(), b.Name, func(old *state.Bucket) error {
		if old.Account != b.Account {
			return s3error.New("BucketAlreadyExists", "BucketName", b.Name)
		}
		if old.Region != usEast1 {
			return s3error.New("BucketAlreadyOwnedByYou", "BucketName", b.Name)
		}
		return setNewACL(r.server, old, r.in.Header) // like S3 in us-east-1
	})
}

// checkBuckets fails if the account already has Limits.MaxBuckets buckets.
func checkBuckets(r *request) error {
	buckets := 0
	exists := false
	err := r.server.store.ListBuckets(r.in.Context(), "", func(b *state.Bucket) bool {
		buckets++
		exists = exists || b.Name == r.target.bucket
		return true
	})
	if err == nil && !exists && buckets >= r.server.limits.MaxBuckets {
		err = s3error.New("TooManyBuckets")
	}
	return err
}

// readBucketRequest reads the document of CreateBucket, and checks the region in it. The document
// may be empty.
func readBucketRequest(r *request) (*createBucketRequest, error) {
	document, err := r.readDocument()
	if err != nil {
		return nil, err
	}
	req := createBucketRequest{}
	region := r.server.config.Region
	if len(document) > 0 {
		if err := xmldoc.Parse(document, &req); err != nil {
			return nil, err
		}
	}
	location := req.LocationConstraint
	if req.Location != nil || req.Bucket != nil {
		return nil, s3error.New("NotImplemented").WithMessage("This server has no directory buckets")
	}
	if !r.server.config.Strict && (location == "" || location == region || r.server.anyRegion) {
		return &req, nil
	}
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

func headBucket(r *request) error {
	b, err := r.bucket()
	if err != nil {
		return err
	}
	r.w.Header().Set("X-Amz-Bucket-Region", b.Region)
	return r.done(http.StatusOK)
}

// deleteBucket deletes the bucket and its multipart uploads. It fails if the bucket still has
// objects, noncurrent versions or delete markers.
func deleteBucket(r *request) error {
	if err := r.server.store.DeleteBucket(r.in.Context(), r.target.bucket); err != nil {
		return err
	}
	r.server.finished.forget(r.target.bucket)
	return r.done(http.StatusNoContent)
}

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

// listBuckets returns one page of buckets if the request has max-buckets. Otherwise it returns all
// buckets.
func listBuckets(r *request) error {
	maximum, err := r.number("max-buckets", 10_000)
	if err != nil {
		return err
	}
	if maximum == 0 {
		return s3error.New("InvalidArgument", "ArgumentName", "max-buckets").
			WithMessage("max-buckets must be between 1 and 10000")
	}
	token := r.query.Get("continuation-token")
	startAfter, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return s3error.New("InvalidArgument", "ArgumentName", "continuation-token").
			WithMessage("The continuation token provided is incorrect")
	}
	result := bucketList{Owner: accounts.OwnerOf(r.caller.account), Prefix: r.query.Get("prefix")}
	region := r.query.Get("bucket-region")
	page := &result.Buckets.Bucket
	err = r.server.store.ListBuckets(r.in.Context(), max(string(startAfter), result.Prefix), func(b *state.Bucket) bool {
		if token != "" && b.Name == string(startAfter) || b.Account != r.caller.account || region != "" && b.Region != region {
			return true
		}
		if !strings.HasPrefix(b.Name, result.Prefix) {
			return b.Name < result.Prefix
		}
		if len(*page) == maximum {
			result.ContinuationToken = base64.StdEncoding.EncodeToString([]byte((*page)[maximum-1].Name))
			return false
		}
		*page = append(*page, listedBucket{b.Name, xmldoc.Time(b.Created), b.Region})
		return true
	})
	if err != nil {
		return err
	}
	return r.writeXML("ListAllMyBucketsResult", result)
}

// A BucketSetup is the name and the settings of a bucket for [Handler.SetUpBucket].
type BucketSetup struct {
	Name       string
	Versioning bool // keep versions
	ObjectLock bool // allow locks on objects, which enables versions; only for a new bucket
	// Policy is the JSON of a bucket policy. If Policy is nil, SetUpBucket does not set a policy.
	// The policy may be public even if Config.Strict blocks public policies.
	Policy []byte
}

// SetUpBucket creates a bucket, unless it exists, and changes its settings. The account of the
// first credential owns a new bucket. A setting with a zero value is not changed. If S3 would
// refuse the name or the policy, SetUpBucket fails with [storage.InvalidArgument].
func (h *Handler) SetUpBucket(ctx context.Context, setup BucketSetup) error {
	if err := checkBucketName(setup.Name); err != nil {
		return err
	}
	var parsed *policy.Policy
	if setup.Policy != nil {
		var err error
		if parsed, err = policy.Parse(setup.Policy, setup.Name); err != nil {
			return argument.Invalid("policy", "of bucket "+setup.Name+" must be valid: "+err.Error(), "")
		}
	}
	b := h.newBucket(setup.Name, h.config.Credentials[0].Account)
	if setup.ObjectLock {
		b.Locking = &state.LockSettings{}
		b.Versioning = state.Enabled
	}
	if _, err := h.store.CreateBucket(ctx, b); err != nil {
		return err
	}
	return h.store.ChangeBucket(ctx, setup.Name, func(b *state.Bucket) error {
		if setup.Versioning {
			b.Versioning = state.Enabled
		}
		if parsed != nil {
			b.Policy = parsed
			if parsed.Public() {
				b.Block = nil
			}
		}
		return nil
	})
}
