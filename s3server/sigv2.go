package s3server

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/sign"
)

// This file verifies signatures of version 2. boto3 and version 1 of the AWS command line sign
// URLs and forms with it by default in us-east-1. AWS accepts it only for buckets from before
// June 2020, so that Config.Strict refuses it.

const algorithmV2 = "AWS " // scheme of the Authorization header

// authenticateHeaderV2 checks the Authorization header "AWS KEY:SIGNATURE".
func authenticateHeaderV2(r *request, value string) error {
	accessKey, signature, found := strings.Cut(strings.TrimPrefix(value, algorithmV2), ":")
	if !found || accessKey == "" {
		return s3error.New(
			"InvalidArgument", "ArgumentName", "Authorization",
		).WithMessage(
			"AWS authorization header is invalid.  Expected AwsAccessKeyId:signature",
		)
	}
	at, err := headerTime(r)
	if err != nil {
		return err
	}
	if at.Unix() < 0 {
		return s3error.New("AccessDenied").WithMessage("AWS authentication requires a valid Date or x-amz-date header")
	}
	if err := checkSkew(r, at, at.Format(time.RFC3339)); err != nil {
		return err
	}
	date := r.in.Header.Get("Date")
	if r.in.Header.Get("X-Amz-Date") != "" {
		date = "" // the date is signed as a header
	}
	return verifySignatureV2(r, accessKey, signature, date, r.in.Header.Get("X-Amz-Security-Token"))
}

// authenticateQueryV2 checks a presigned URL.
func authenticateQueryV2(r *request) error {
	expires := r.query.Get("Expires")
	end, err := strconv.ParseInt(expires, 10, 64)
	if err != nil {
		return s3error.New("AccessDenied").WithMessage("Invalid date (should be seconds since epoch): %s", expires)
	}
	for _, name := range subresources {
		// Otherwise the holder of a URL could choose another operation.
		if r.has(name) && !slices.Contains(sign.SubresourcesV2, name) {
			return s3error.New(
				"AccessDenied",
			).WithMessage(
				"A URL that is signed with version 2 cannot have the parameter %s, which is not signed", name,
			)
		}
	}
	if now := r.now(); now.Unix() > end {
		return s3error.New(
			"AccessDenied", "Expires", time.Unix(end, 0).UTC().Format(time.RFC3339), "ServerTime",
			now.Format(time.RFC3339),
		).
			WithMessage(
				"Request has expired",
			)
	}
	return verifySignatureV2(
		r, r.query.Get("AWSAccessKeyId"), r.query.Get("Signature"), expires, r.query.Get("x-amz-security-token"),
	)
}

// verifySignatureV2 checks the signature of a request that was signed for a date or with
// an expiry.
func verifySignatureV2(r *request, accessKey, signature, date, token string) error {
	credential, err := r.server.credential(accessKey, token)
	if err != nil {
		return err
	}
	path, bucket := r.in.URL.EscapedPath(), r.server.hostBucket(r.in.Host)
	text := sign.StringToSignV2(r.in, r.query, bucket, date, path)
	right := sign.Equal(sign.MACV2(credential.SecretKey, text), signature)
	if !right && r.target.key == "" && !strings.HasSuffix(path, "/") {
		right = sign.Equal(
			sign.MACV2(credential.SecretKey, sign.StringToSignV2(r.in, r.query, bucket, date, path+"/")), signature,
		) // like the URL of a bucket in boto3's signatures
	}
	if !right {
		return s3error.New("SignatureDoesNotMatch", "AWSAccessKeyId", accessKey, "StringToSign", text,
			"SignatureProvided", signature, "StringToSignBytes", sign.Spaced(text))
	}
	r.caller = caller{
		accessKey: accessKey, account: credential.Account, readOnly: credential.ReadOnly, algorithm: "AWS",
		seal: sign.Seal{Payload: cmp.Or(r.in.Header.Get("X-Amz-Content-Sha256"), sign.UnsignedPayload)},
	}
	return nil
}

// verifyFormV2 checks the signature of a form's policy.
func verifyFormV2(r *request, f *form) error {
	accessKey, signature := f.fields["awsaccesskeyid"], f.fields["signature"]
	if signature == "" {
		return s3error.New(
			"InvalidArgument", "ArgumentName", "signature",
		).WithMessage(
			"Bucket POST must contain a field named 'signature'.  If it is specified, please check the order of the fields.",
		)
	}
	credential, err := r.server.credential(accessKey, f.fields["x-amz-security-token"])
	if err != nil {
		return err
	}
	if !sign.Equal(sign.MACV2(credential.SecretKey, f.fields["policy"]), signature) {
		return s3error.New(
			"SignatureDoesNotMatch", "AWSAccessKeyId", accessKey, "StringToSign", f.fields["policy"],
			"SignatureProvided",
			signature,
		)
	}
	r.caller = caller{
		accessKey: accessKey, account: credential.Account, readOnly: credential.ReadOnly, algorithm: "AWS",
	}
	return nil
}
