package s3server

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// This file has version 2 of the signatures. boto3 and version 1 of the AWS command line
// sign URLs and forms with it by default in us-east-1. AWS accepts it only for
// buckets from before June 2020, so that Config.Strict refuses it.

const algorithmV2 = "AWS " // of the Authorization header

// subresourcesV2 are the query parameters that are signed.
var subresourcesV2 = []string{
	"accelerate", "acl", "analytics", "cors", "delete", "inventory", "legal-hold", "lifecycle", "location", "logging",
	"metrics", "notification", "object-lock", "partNumber", "policy", "replication", "requestPayment",
	"response-cache-control", "response-content-disposition", "response-content-encoding", "response-content-language",
	"response-content-type", "response-expires", "restore", "retention", "select", "select-type", "tagging", "torrent",
	"uploadId", "uploads", "versionId", "versioning", "versions", "website",
}

// hasQueryV2 returns whether the query has a signature of version 2.
func hasQueryV2(r *request) bool { return r.has("AWSAccessKeyId") && r.has("Signature") }

// authenticateHeaderV2 checks the Authorization header "AWS KEY:SIGNATURE".
func authenticateHeaderV2(r *request, value string) error {
	accessKey, signature, found := strings.Cut(strings.TrimPrefix(value, algorithmV2), ":")
	if !found || accessKey == "" {
		return s3error.New("InvalidArgument", "ArgumentName", "Authorization").WithMessage("AWS authorization header is invalid.  Expected AwsAccessKeyId:signature")
	}
	at, err := headerTime(r)
	if err != nil {
		return err
	}
	if at.Unix() < 0 {
		return s3error.New("AccessDenied").WithMessage("AWS authentication requires a valid Date or x-amz-date header")
	}
	now := r.server.now()
	if skew := now.Sub(at).Abs(); skew > maxSkew {
		return s3error.New("RequestTimeTooSkewed", "RequestTime", at.Format(time.RFC3339), "ServerTime", now.Format(time.RFC3339),
			"MaxAllowedSkewMilliseconds", strconv.FormatInt(maxSkew.Milliseconds(), 10))
	}
	date := r.Header.Get("Date")
	if r.Header.Get("X-Amz-Date") != "" {
		date = "" // it is signed as a header
	}
	return verifySignatureV2(r, accessKey, signature, date, r.Header.Get("X-Amz-Security-Token"))
}

// authenticateQueryV2 checks a presigned URL.
func authenticateQueryV2(r *request) error {
	expires := r.query.Get("Expires")
	end, err := strconv.ParseInt(expires, 10, 64)
	if err != nil {
		return s3error.New("AccessDenied").WithMessage("Invalid date (should be seconds since epoch): %s", expires)
	}
	for _, name := range subresources {
		// Else the holder of a URL could choose another operation.
		if r.has(name) && !slices.Contains(subresourcesV2, name) {
			return s3error.New("AccessDenied").WithMessage("A URL that is signed with version 2 cannot have the parameter %s, which is not signed", name)
		}
	}
	if now := r.server.now(); now.Unix() > end {
		return s3error.New("AccessDenied", "Expires", time.Unix(end, 0).UTC().Format(time.RFC3339), "ServerTime", now.Format(time.RFC3339)).
			WithMessage("Request has expired")
	}
	return verifySignatureV2(r, r.query.Get("AWSAccessKeyId"), r.query.Get("Signature"), expires, r.query.Get("x-amz-security-token"))
}

// verifySignatureV2 checks the signature of a request that was signed for a date or with
// an expiry.
func verifySignatureV2(r *request, accessKey, signature, date, token string) error {
	credential, err := r.server.credential(accessKey, token)
	if err != nil {
		return err
	}
	path := r.URL.EscapedPath()
	text := stringToSignV2(r, date, path)
	right := equalMACs(macV2(credential.SecretKey, text), signature)
	if !right && r.target.key == "" && !strings.HasSuffix(path, "/") {
		right = equalMACs(macV2(credential.SecretKey, stringToSignV2(r, date, path+"/")), signature) // as boto3 signs a bucket
	}
	if !right {
		return s3error.New("SignatureDoesNotMatch", "AWSAccessKeyId", accessKey, "StringToSign", text,
			"SignatureProvided", signature, "StringToSignBytes", spaced(text))
	}
	r.caller = caller{accessKey: accessKey, account: credential.Account, readOnly: credential.ReadOnly, algorithm: "AWS", payload: r.Header.Get("X-Amz-Content-Sha256")}
	setDefault(&r.caller.payload, unsignedPayload)
	return nil
}

// verifyFormV2 checks the signature of a form's policy.
func verifyFormV2(r *request, f *form) error {
	accessKey, signature := f.fields["awsaccesskeyid"], f.fields["signature"]
	if signature == "" {
		return s3error.New("InvalidArgument", "ArgumentName", "signature").WithMessage("Bucket POST must contain a field named 'signature'.  If it is specified, please check the order of the fields.")
	}
	credential, err := r.server.credential(accessKey, f.fields["x-amz-security-token"])
	if err != nil {
		return err
	}
	if !equalMACs(macV2(credential.SecretKey, f.fields["policy"]), signature) {
		return s3error.New("SignatureDoesNotMatch", "AWSAccessKeyId", accessKey, "StringToSign", f.fields["policy"], "SignatureProvided", signature)
	}
	r.caller = caller{accessKey: accessKey, account: credential.Account, readOnly: credential.ReadOnly, algorithm: "AWS"}
	return nil
}

// stringToSignV2 returns the text that is signed. date is empty if x-amz-date is a header.
func stringToSignV2(r *request, date, path string) string {
	var b strings.Builder
	for _, line := range []string{r.Method, r.Header.Get("Content-Md5"), r.Header.Get("Content-Type"), date} {
		b.WriteString(line + "\n")
	}
	for _, line := range amzHeadersV2(r) {
		b.WriteString(line + "\n")
	}
	if bucket := r.server.hostBucket(r.Host); bucket != "" {
		b.WriteString("/" + bucket)
	}
	b.WriteString(path)
	separator := "?"
	for _, name := range subresourcesV2 {
		if !r.has(name) {
			continue
		}
		b.WriteString(separator + name)
		separator = "&"
		if value := r.query.Get(name); value != "" {
			b.WriteString("=" + value)
		}
	}
	return b.String()
}

// amzHeadersV2 returns the headers of AWS as "name:value", in order. A presigned URL has
// them as parameters, too. A client may send them as headers again.
func amzHeadersV2(r *request) []string {
	var lines []string
	for _, values := range []map[string][]string{r.Header, r.query} {
		for name, all := range values {
			if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") {
				trimmed := make([]string, len(all))
				for i, value := range all {
					trimmed[i] = strings.ReplaceAll(strings.TrimSpace(value), "\n", " ") // one line
				}
				if line := name + ":" + strings.Join(trimmed, ","); !slices.Contains(lines, line) {
					lines = append(lines, line)
				}
			}
		}
	}
	slices.SortFunc(lines, func(a, b string) int {
		first, _, _ := strings.Cut(a, ":")
		second, _, _ := strings.Cut(b, ":")
		return strings.Compare(first, second)
	})
	return lines
}

func macV2(secret, text string) string {
	h := hmac.New(sha1.New, []byte(secret))
	h.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}
