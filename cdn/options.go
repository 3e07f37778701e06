package cdn

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/escape"
	"github.com/omnibucket/storage/internal/headertext"
)

const opSignPrefix = "SignPrefix"

// expiry returns the time, in whole seconds, at which a signature made now expires.
func expiry(now time.Time, opts *storage.SignOptions) (time.Time, error) {
	start, ttl, err := opts.Term(now)
	if err != nil {
		return time.Time{}, err
	}
	// Round up to a whole second.
	return start.Add(ttl + time.Second - 1).UTC().Truncate(time.Second), nil
}

// A grant has what a signature permits: until when, and with which parameters for the store.
type grant struct {
	query string // parameters that the CDN passes to the store, escaped; "" if there are none
	until time.Time
}

// checkKeyOptions checks the key and the options of SignedDownloadURL, and returns what the signature permits.
func (s *site) checkKeyOptions(ctx context.Context, key string, opts []storage.SignedDownloadOption) (grant, error) {
	const op = "SignedDownloadURL"
	if err := ctx.Err(); err != nil {
		return grant{}, s.located(op, key, storage.AsError(ctx, err))
	}
	if err := s.checkKey(op, key); err != nil {
		return grant{}, err
	}
	return s.checkOptions(op, key, s.forwards, opts)
}

// checkPrefixOptions checks the prefix and the options of SignPrefix, and returns what the signature permits.
func (s *site) checkPrefixOptions(prefix string, opts []storage.SignedDownloadOption) (grant, error) {
	if err := s.checkPrefix(opSignPrefix, prefix); err != nil {
		return grant{}, err
	}
	// The signature of a prefix covers no parameters.
	return s.checkOptions(opSignPrefix, prefix, false, opts)
}

// checkOptions returns what the options permit, and refuses those that the CDN does not enforce. forwards says
// whether the CDN passes parameters of S3 to the store.
func (s *site) checkOptions(op, key string, forwards bool, opts []storage.SignedDownloadOption) (grant, error) {
	var signOpts storage.SignOptions
	if err := signOpts.ApplyDownload(opts...); err != nil {
		return grant{}, s.optionError(op, key, err)
	}

	if signOpts.Method != "" && signOpts.Method != http.MethodGet {
		return grant{}, s.unsupported(op, key, "WithMethod", "leave it out: the URL for GET is one for HEAD, too")
	}
	if len(signOpts.Native) > 0 {
		return grant{}, s.unsupported(op, key, "WithNative", "")
	}

	query, s3Option := s3Query(&signOpts)
	if query != "" && !forwards {
		// The hint says how to make the CDN pass the parameters. That does not help for a prefix, whose
		// signature covers no parameters.
		hint := s.forwardHint
		if op == opSignPrefix {
			hint = ""
		}
		return grant{}, s.unsupported(op, key, s3Option, hint)
	}

	expires, err := expiry(s.now(), &signOpts)
	if err != nil {
		return grant{}, s.optionError(op, key, err)
	}
	return grant{query: query, until: expires}, nil
}

// optionError returns the error for an option that is not valid. No context is involved.
func (s *site) optionError(op, key string, err error) error {
	return s.located(op, key, storage.AsError(context.Background(), err))
}

// s3Query returns the options as a query of S3, such as "versionId=1", or "" if no option needs a
// parameter. option is the name of the first option that needs one.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html#API_GetObject_RequestParameters
func s3Query(opts *storage.SignOptions) (query, option string) {
	dispositionOption := "WithResponseContentDisposition"
	disposition := opts.ResponseContentDisposition
	if disposition == "" && opts.ResponseName != "" {
		dispositionOption = "WithDownloadName"
		disposition = headertext.Disposition("attachment", opts.ResponseName)
	}

	params := []struct{ option, name, value string }{
		{option: dispositionOption, name: "response-content-disposition", value: disposition},
		{option: "WithResponseContentType", name: "response-content-type", value: opts.ResponseType},
		{option: "WithVersion", name: "versionId", value: opts.Version},
	}

	var pairs []string
	for _, param := range params {
		if param.value == "" {
			continue
		}
		pairs = append(pairs, param.name+"="+escape.All(param.value))
		if option == "" {
			option = param.option
		}
	}
	return strings.Join(pairs, "&"), option
}

// signedURL returns the result of SignedDownloadURL.
func signedURL(address string, expires time.Time) *storage.SignedURL {
	return &storage.SignedURL{URL: address, Method: http.MethodGet, Header: http.Header{}, ExpiresAt: expires}
}
