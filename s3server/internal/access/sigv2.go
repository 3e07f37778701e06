package access

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/sign"
)

// This file verifies signatures of version 2. In us-east-1, boto3 and version 1 of the AWS command
// line sign URLs and forms with version 2 by default. AWS accepts version 2 only for buckets from
// before June 2020. Therefore a strict server refuses version 2.

const algorithmV2 = "AWS " // scheme of the Authorization header

// authenticateHeaderV2 verifies the signature in an Authorization header "AWS KEY:SIGNATURE".
func authenticateHeaderV2(r *request.Request, value string) error {
	accessKey, signature, ok := strings.Cut(strings.TrimPrefix(value, algorithmV2), ":")
	if !ok || accessKey == "" {
		return s3error.New("InvalidArgument", "ArgumentName", "Authorization").
			WithMessage("AWS authorization header is invalid.  Expected AwsAccessKeyId:signature")
	}
	t, err := headerTime(r)
	if err != nil {
		return err
	}
	// AWS refuses a time before 1970 as invalid, not as that of a clock that is wrong.
	if t.Unix() < 0 {
		return s3error.New("AccessDenied").WithMessage("AWS authentication requires a valid Date or x-amz-date header")
	}
	if err := checkSkew(r, t, t.Format(time.RFC3339)); err != nil {
		return err
	}

	// The text to sign has x-amz-date among its headers, and then has no date of its own.
	date := r.HTTP.Header.Get("Date")
	if r.HTTP.Header.Get("X-Amz-Date") != "" {
		date = ""
	}
	return verifySignatureV2(r, accessKey, signature, date, r.HTTP.Header.Get("X-Amz-Security-Token"))
}

// authenticateQueryV2 verifies the signature of a URL presigned with version 2, whose time Expires is in seconds since
// 1970.
func authenticateQueryV2(r *request.Request) error {
	expires := r.Query.Get("Expires")
	end, err := strconv.ParseInt(expires, 10, 64)
	if err != nil {
		return s3error.New("AccessDenied").WithMessage("Invalid date (should be seconds since epoch): %s", expires)
	}

	for _, name := range request.Subresources {
		// Without this check, the holder of a URL could add a parameter that selects another
		// operation.
		if r.Has(name) && !slices.Contains(sign.SubresourcesV2, name) {
			return s3error.New("AccessDenied").WithMessage(
				"A URL that is signed with version 2 cannot have the parameter %s, which is not signed", name,
			)
		}
	}

	if now := r.Now(); now.Unix() > end {
		return s3error.New(
			"AccessDenied",
			"Expires", time.Unix(end, 0).UTC().Format(time.RFC3339),
			"ServerTime", now.Format(time.RFC3339),
		).WithMessage("Request has expired")
	}
	return verifySignatureV2(r, r.Query.Get("AWSAccessKeyId"), r.Query.Get("Signature"), expires,
		r.Query.Get("x-amz-security-token"))
}

// verifySignatureV2 verifies a signature and sets r.Caller. date is the signed date or the signed expiry time.
func verifySignatureV2(r *request.Request, accessKey, signature, date, token string) error {
	caller, secret, err := identify(r, accessKey, token)
	if err != nil {
		return err
	}

	path := r.HTTP.URL.EscapedPath()
	bucket := r.Server.HostBucket(r.HTTP.Host)
	text := sign.StringToSignV2(r.HTTP, r.Query, bucket, date, path)
	isValid := sign.Equal(sign.MACV2(secret, text), signature)

	// boto3 signs the URL of a bucket with a slash at the end, although it sends none.
	isBucketWithoutSlash := r.Target.Key == "" && !strings.HasSuffix(path, "/")
	if !isValid && isBucketWithoutSlash {
		slashText := sign.StringToSignV2(r.HTTP, r.Query, bucket, date, path+"/")
		isValid = sign.Equal(sign.MACV2(secret, slashText), signature)
	}
	if !isValid {
		return s3error.New("SignatureDoesNotMatch", "AWSAccessKeyId", accessKey, "StringToSign", text,
			"SignatureProvided", signature, "StringToSignBytes", sign.Spaced(text))
	}

	caller.Algorithm = "AWS"
	caller.Seal = sign.Seal{Payload: cmp.Or(r.HTTP.Header.Get("X-Amz-Content-Sha256"), sign.UnsignedPayload)}
	r.Caller = caller
	return nil
}
