package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/escape"
	"github.com/omnibucket/storage/providers/internal/customerkey"
	"github.com/omnibucket/storage/providers/internal/sigv4"
	"github.com/omnibucket/storage/providers/s3/internal/attributes"
	"github.com/omnibucket/storage/providers/s3/internal/credential"
	"github.com/omnibucket/storage/providers/s3/internal/option"
	"github.com/omnibucket/storage/providers/s3/internal/rawclient"
	"github.com/omnibucket/storage/providers/s3/internal/sdkcall"
	"github.com/omnibucket/storage/providers/s3/internal/signature"
)

const emptyMD5 = "1B2M2Y8AsgTpgAmY7PhCfg==" // MD5 of an empty body

type urlSigner struct {
	account *account
	bucket  *bucket
}

// Sign signs a URL. It sends a request only if it must get credentials. Everything that the result
// guarantees is in signed headers or in signed parameters of the query, so nobody can change it.
func (d *objectDriver) Sign(ctx context.Context, r *driver.SignRequest) (*storage.SignedURL, error) {
	return d.urls.sign(ctx, r, d.account.clock.Time())
}

// sign signs the URL of a GET, HEAD, PUT or DELETE of an object. A SignedOption among the native
// options changes the signed request, and any other sets fields of the SDK's input.
func (us *urlSigner) sign(ctx context.Context, r *driver.SignRequest, now time.Time) (*storage.SignedURL, error) {
	// A SignedOption is applied at the end, and is unknown to the SDK.
	signedOptions, otherOptions := option.SignedValues(r.Native)
	if len(signedOptions) > 0 {
		clone := *r
		clone.Native = otherOptions
		r = &clone
	}
	start, ttl := r.Term(now)
	p, err := us.newPresigning(ctx, r.Method, r.BaseURL, ttl, r.Native, start)
	if err != nil {
		return nil, err
	}

	// A stable URL cannot come from credentials that change.
	creds := &p.term.credentials
	isTemporary := creds.SessionToken != "" || creds.CanExpire
	if r.StableFor > 0 && isTemporary {
		return nil, errTemporary()
	}

	request := &p.request
	if err := us.fillRequest(request, r); err != nil {
		return nil, err
	}

	for _, opt := range signedOptions {
		if err := opt.AddTo(request); err != nil {
			return nil, err
		}
	}
	// MinIO obeys headers with which a client could extend a removal, so the signature fixes them.
	if r.Method == http.MethodDelete {
		us.account.profile.narrowRemoval(request.Header, r.Version)
	}
	return p.url(r.Key), nil
}

// fillRequest sets what the method of r requires in a signed request: headers, a length or a query. It fails
// with Unsupported for a method that cannot be signed.
func (us *urlSigner) fillRequest(request *signature.Request, r *driver.SignRequest) error {
	switch r.Method {
	case http.MethodPut:
		header, err := us.signedHeaders(r)
		if err != nil {
			return err
		}
		request.Header = header
		// The signature covers the length. The signed URL does not list the length among its
		// headers, because a browser sets that header itself.
		request.Length = max(r.MaxSize, 0)
	case http.MethodGet, http.MethodHead:
		request.Query = downloadQuery(r)
		// Without options, this avoids the large allocation for the SDK's input.
		if len(r.Native) > 0 {
			input := &awss3.GetObjectInput{}
			if err := us.account.customize(input, r.Native); err != nil {
				return err
			}
			rawclient.SetCustomerKey(request.Header.Set, input.SSECustomerAlgorithm, input.SSECustomerKey, input.SSECustomerKeyMD5)
		}
	case http.MethodDelete:
		if len(r.Native) > 0 {
			return &storage.Error{
				Code: storage.Unsupported,
				Hint: "give a signed removal no option but a SignedOption",
			}
		}
		request.Query = addParameter("", "versionId", r.Version)
	default:
		return storage.Unsupported
	}
	return nil
}

// narrowRemoval limits a signed removal to one object or version on MinIO, which also obeys headers
// that the signature does not cover. X-Minio-Force-Delete extends the removal of "a" to all its
// versions and all keys below "a/", and X-Amz-Bypass-Governance-Retention bypasses a retention.
// If they are signed with the value "false", a client cannot send another value.
func (p *Profile) narrowRemoval(h http.Header, version string) {
	row := p.row()
	const forceDelete, bypassRetention = "X-Minio-Force-Delete", "X-Amz-Bypass-Governance-Retention"
	mayBeMinIO := row.Name == "" || row.isUnknown || row.Name == "minio"
	if mayBeMinIO && h.Get(forceDelete) == "" {
		h.Set(forceDelete, "false")
	}
	if row.Name == "minio" && version != "" && h.Get(bypassRetention) == "" {
		h.Set(bypassRetention, "false")
	}
}

// errTemporary returns the error for a URL that must be the same in each process, but would be
// signed with temporary credentials.
func errTemporary() error {
	return &storage.Error{
		Code: storage.Unsupported,
		Err:  errors.New("temporary credentials differ from process to process"),
		Hint: "sign with a long-lived access key, or redirect to a signed URL from an address of your own",
	}
}

// SignPart signs the URL of an UploadPart. It sends no request, unless it must get credentials.
func (d *objectDriver) SignPart(ctx context.Context, r *driver.SignPartRequest) (*storage.SignedURL, error) {
	return d.urls.signPart(ctx, r, d.account.clock.Time())
}

// signPart signs the URL of one UploadPart, which is valid from now on.
func (us *urlSigner) signPart(
	ctx context.Context, r *driver.SignPartRequest, now time.Time,
) (*storage.SignedURL, error) {
	p, err := us.newPresigning(ctx, http.MethodPut, r.BaseURL, r.TTL, r.Native, now)
	if err != nil {
		return nil, err
	}

	request := &p.request
	request.Query = "partNumber=" + strconv.Itoa(r.Number) + "&uploadId=" + escape.All(r.Upload)
	request.Length = max(r.Size, 0) // the size -1 permits any size, so no length is signed
	if r.Size == 0 {
		// A length of 0 cannot be signed. The MD5 of no bytes limits the part to no bytes, too.
		request.Header.Set("Content-Md5", emptyMD5)
	}

	// The signature must cover the headers of a customer's key.
	input := &awss3.UploadPartInput{}
	if err := us.account.customize(input, r.Native); err != nil {
		return nil, err
	}
	rawclient.SetCustomerKey(request.Header.Set, input.SSECustomerAlgorithm, input.SSECustomerKey, input.SSECustomerKeyMD5)
	if r.CRC32C.Known {
		request.Header.Set("X-Amz-Checksum-Crc32c", crc32c.Encode(r.CRC32C.Sum))
	}
	return p.url(r.Key), nil
}

// A presigning is a URL or form that is being signed.
type presigning struct {
	account  *account
	term     signingTerm
	endpoint *bucketEndpoint
	request  signature.Request
}

// newPresigning prepares what all signed URLs and forms have in common: the credentials, the
// endpoint and the request. It fails for options that do not fit a signed request.
func (us *urlSigner) newPresigning(
	ctx context.Context, method, baseURL string, ttl time.Duration, native []any, now time.Time,
) (p presigning, err error) {
	term, err := us.newTerm(ctx, ttl, now)
	if err != nil {
		return p, err
	}
	endpoint, err := us.bucket.endpoint(ctx, baseURL)
	if err != nil {
		return p, err
	}
	// WithRequest changes an input of the SDK, which a signed URL does not have.
	if option.HasFunctions(native) {
		return p, &storage.Error{
			Code: storage.Unsupported,
			Err:  errors.New("s3.WithRequest does not fit a signed URL or form"),
			Hint: "sign such a request with the SDK's s3.NewPresignClient: storage.As returns its client",
		}
	}
	if customerkey.In(native) != nil && endpoint.url.Scheme != "https" {
		return p, option.ErrNoTLS()
	}

	// The body is not signed, because it is not known yet.
	return presigning{
		account:  us.account,
		term:     term,
		endpoint: endpoint,
		request: signature.Request{
			Method: method,
			Host:   endpoint.host,
			Path:   endpoint.path,
			Header: http.Header{},
			SHA256: signature.UnsignedPayload,
			At:     term.From,
		},
	}, nil
}

// url returns the signed URL of an object, with the query parameters that the account adds to each
// request.
func (p *presigning) url(objectKey string) *storage.SignedURL {
	a := p.account
	query := addParameter(p.request.Query, sdkcall.OwnerQuery, a.expectedOwner)
	if a.requesterPays {
		query = addParameter(query, sdkcall.PayerQuery, sdkcall.Requester)
	}
	request := p.request
	request.Query = sortQuery(query) // a signature requires that the parameters are in order

	term := &p.term
	signingKey := a.keys.Get(&term.credentials, a.region, term.From)
	signedURL := signingKey.Presign(&request, p.endpoint.origin, objectKey, term.credentials.SessionToken, term.Seconds)
	return &storage.SignedURL{
		URL:       signedURL,
		Method:    request.Method,
		Header:    request.Header,
		ExpiresAt: term.Until(),
	}
}

// signedHeaders returns the headers that are part of a signed upload, and that the uploader must
// therefore send.
func (us *urlSigner) signedHeaders(r *driver.SignRequest) (http.Header, error) {
	// The signature covers the length, so it permits only one size.
	if r.MinSize != r.MaxSize {
		return nil, &storage.Error{
			Code: storage.Unsupported,
			Hint: "a signed URL has one exact size: use SignedUploadForm for a range of sizes",
		}
	}

	properties := *r
	properties.Metadata = us.account.profile.attributes().StoredNames(r.Metadata)
	h := sigv4.Headers(&properties, "X-Amz-")
	if err := us.setUploadOptions(r, h.Set); err != nil {
		return nil, err
	}

	if r.Condition.Absent {
		h.Set("If-None-Match", "*")
	}
	if err := attributes.SetLock(h, r); err != nil {
		return nil, err
	}
	if tags := attributes.TagHeader(r.Tags); tags != nil {
		h.Set(rawclient.TagsHeader, *tags)
	}
	if r.MaxSize == 0 {
		// A length of 0 cannot be signed. The MD5 of no bytes limits the object to no bytes, too.
		h.Set("Content-Md5", emptyMD5)
	}
	// If the sum is unknown, do not name an algorithm either: S3 would then expect the checksum of
	// an empty body.
	if r.CRC32C.Known {
		if us.account.profile.Checksum == ChecksumNone {
			return nil, &storage.Error{
				Code: storage.Unsupported,
				Hint: "this server is not known to check CRC32C: remove the checksum",
			}
		}
		h.Set("X-Amz-Checksum-Crc32c", crc32c.Encode(r.CRC32C.Sum))
	}
	return h, nil
}

// setUploadOptions calls set with each header that gives a signed upload its encryption or access
// control list. For a form, set sets a field instead.
func (us *urlSigner) setUploadOptions(r *driver.SignRequest, set func(name, value string)) error {
	input := &awss3.PutObjectInput{ACL: attributes.ACL(r.PublicRead)}
	if err := us.account.customize(input, r.Native); err != nil {
		return err
	}
	if input.ACL != "" {
		set("X-Amz-Acl", string(input.ACL))
	}
	rawclient.SetEncryption(set, input)
	return nil
}

// downloadQuery returns the query of a signed download, with its parameters in the order of their
// names.
func downloadQuery(r *driver.SignRequest) string {
	query := addParameter("", "response-cache-control", r.ResponseCacheControl)
	query = addParameter(query, "response-content-disposition", r.ResponseDisposition())
	query = addParameter(query, "response-content-type", r.ResponseType)
	return addParameter(query, "versionId", r.Version)
}

// addParameter returns query with one more parameter, unless value is "".
func addParameter(query, name, value string) string {
	if value == "" {
		return query
	}
	if query != "" {
		query += "&"
	}
	return query + name + "=" + escape.All(value)
}

// sortQuery sorts the parameters of a query by name, as a signature requires.
func sortQuery(query string) string {
	if !strings.Contains(query, "&") {
		return query
	}
	parameters := strings.Split(query, "&")
	slices.SortFunc(parameters, func(a, b string) int {
		nameOfA, _, _ := strings.Cut(a, "=")
		nameOfB, _, _ := strings.Cut(b, "=")
		return strings.Compare(nameOfA, nameOfB)
	})
	return strings.Join(parameters, "&")
}

type signingTerm struct {
	sigv4.Term  // X-Amz-Expires has the length of the term in seconds
	credentials aws.Credentials
}

// newTerm returns the time for which a signature is valid: at least ttl, but not longer than the
// credentials. A session of unknown expiry is assumed to last for credential.LongestSession.
func (us *urlSigner) newTerm(ctx context.Context, ttl time.Duration, now time.Time) (s signingTerm, err error) {
	if us.account.isAnonymous {
		return s, &storage.Error{Code: storage.Unsupported, Hint: "open the bucket with credentials to sign URLs"}
	}
	credentials, err := us.account.currentCredentials(ctx)
	if err != nil {
		return s, err
	}

	// A session without a known expiry limits the term by its longest possible life.
	maxTTL := sigv4.MaxTerm
	isSession := credentials.SessionToken != ""
	if isSession && !credentials.CanExpire {
		maxTTL = credential.LongestSession
	}
	s = signingTerm{sigv4.NewTerm(now, ttl, maxTTL), credentials}
	if credentials.CanExpire {
		s.EndBy(credentials.Expires)
	}
	hasExpired := s.Seconds < 1
	if hasExpired {
		return s, &storage.Error{
			Code: storage.Unauthenticated,
			Err:  fmt.Errorf("the credentials expired at %s", credentials.Expires.UTC().Format(time.RFC3339)),
		}
	}
	return s, nil
}
