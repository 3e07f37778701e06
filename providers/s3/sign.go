package s3

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/httpheader"
	"github.com/omnibucket/storage/internal/sigv4"
)

const emptyMD5 = "1B2M2Y8AsgTpgAmY7PhCfg==" // of a body that holds nothing

// signFeatures returns what the profile declares of signing.
func signFeatures(p *Profile) storage.Features {
	if p.NoSigning {
		return 0
	}
	f := storage.SignURLs | storage.SignHead
	if p.SignedUploads.ContentType {
		f |= storage.SignContentType
	}
	if p.SignedUploads.Size {
		f |= storage.SignSize
	}
	if p.SignedUploads.IfAbsent {
		f |= storage.SignIfAbsent
	}
	if p.SignForms {
		f |= storage.SignForms
	}
	return f
}

// Sign makes no request, unless the credentials have to be fetched. Everything
// that the result promises is a signed header or a signed part of the query, so
// that whoever holds it can change nothing.
func (d *driver) Sign(ctx context.Context, r *storage.SignRequest) (*storage.SignedURL, error) {
	return d.sign(ctx, r, d.clock.time())
}

func (d *driver) sign(ctx context.Context, r *storage.SignRequest, now time.Time) (*storage.SignedURL, error) {
	if len(r.Native) > 0 {
		return nil, storage.Unsupported
	}
	s, err := d.signAt(ctx, r.TTL, now)
	if err != nil {
		return nil, err
	}
	at, err := d.placeAt(ctx, r.BaseURL)
	if err != nil {
		return nil, err
	}
	request := &signedRequest{
		method: r.Method, host: at.host, path: at.path,
		header: http.Header{}, sha256: unsignedPayload, at: s.From,
	}
	switch r.Method {
	case http.MethodPut:
		if request.header, err = d.signedHeaders(r); err != nil {
			return nil, err
		}
		// A browser sets the length itself: it is signed, and not in the result.
		request.length = max(r.MaxSize, 0)
	case http.MethodGet, http.MethodHead:
		request.query = readQuery(r)
	default:
		return nil, storage.Unsupported
	}
	if d.payer {
		if request.query != "" {
			request.query += "&"
		}
		request.query += payerQuery + "=" + requester // last, in the order of the names
	}
	key := d.keys.of(&s.credentials, d.region, s.From)
	address := key.presign(request, at.origin, r.Key, s.credentials.SessionToken, s.Seconds)
	return &storage.SignedURL{URL: address, Method: r.Method, Header: request.header, ExpiresAt: s.Until()}, nil
}

// signedHeaders are what the uploader must send.
func (d *driver) signedHeaders(r *storage.SignRequest) (http.Header, error) {
	if r.MinSize != r.MaxSize {
		return nil, &storage.Error{Code: storage.Unsupported, Hint: "a signed address fixes a size; bounds are SignedUploadForm's"}
	}
	properties := *r
	properties.Metadata = d.profile.storedNames(r.Metadata)
	h := sigv4.Headers(&properties, "X-Amz-")
	if r.Condition.Absent {
		h.Set("If-None-Match", "*")
	}
	if r.MaxSize == 0 {
		h.Set("Content-Md5", emptyMD5) // a length of 0 is not signed
	}
	if r.CRC32C != nil {
		// Never an algorithm without a value: that would sign the sum of nothing.
		if d.profile.Checksum == ChecksumNone {
			return nil, &storage.Error{Code: storage.Unsupported, Hint: "this server is not known to check a CRC32C"}
		}
		h.Set("X-Amz-Checksum-Crc32c", httpheader.EncodeCRC32C(*r.CRC32C))
	}
	return h, nil
}

// readQuery is what a signed download asks for, in the order of the names.
func readQuery(r *storage.SignRequest) string {
	var query []byte
	add := func(name, value string) {
		if value == "" {
			return
		}
		if len(query) > 0 {
			query = append(query, '&')
		}
		query = append(append(query, name...), '=')
		query = appendEscaped(query, value)
	}
	add("response-content-disposition", r.ResponseDisposition())
	add("response-content-type", r.ResponseType)
	add("versionId", r.Version)
	return string(query)
}

// A signingTerm is who signs, and for how long it holds.
type signingTerm struct {
	sigv4.Term  // X-Amz-Expires are its seconds
	credentials aws.Credentials
}

// signAt returns a term of at least ttl, but never past the end of the
// credentials: the address would die with them, whatever it says. A session that
// does not say when it ends is taken to last for longestSession.
func (d *driver) signAt(ctx context.Context, ttl time.Duration, now time.Time) (s signingTerm, err error) {
	if d.anonymous {
		return s, &storage.Error{Code: storage.Unsupported, Hint: "the bucket was opened without credentials, and signing takes some"}
	}
	credentials, err := d.current(ctx)
	if err != nil {
		return s, err
	}
	longest := sigv4.MaxTerm
	if credentials.SessionToken != "" && !credentials.CanExpire {
		longest = longestSession
	}
	s = signingTerm{sigv4.NewTerm(now, ttl, longest), credentials}
	if credentials.CanExpire {
		s.EndBy(credentials.Expires)
	}
	if s.Seconds < 1 {
		return s, &storage.Error{
			Code: storage.Unauthenticated,
			Err:  fmt.Errorf("the credentials expired at %s", credentials.Expires.UTC().Format(time.RFC3339)),
		}
	}
	return s, nil
}
