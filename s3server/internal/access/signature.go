package access

import (
	"cmp"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/sign"
)

// maxSkew is the maximum difference between the time of a signature and that of the server.
const maxSkew = 15 * time.Minute

// A claim is a signature that is not verified yet, and the values in the request that it covers.
type claim struct {
	service       string // service that the credential scope must name, such as s3
	accessKey     string
	scope         sign.Scope
	timestamp     string
	signedHeaders []string // names of the signed headers, in lower case
	signature     string
	payload       string
	presigned     bool
}

// Authenticate verifies the signature in the Authorization header or the query, and sets r.Caller, which is anonymous
// if the request has no signature.
func Authenticate(r *request.Request) error {
	authorization := r.HTTP.Header.Get("Authorization")
	isPresigned := r.Has("X-Amz-Algorithm") || r.Has("X-Amz-Signature")
	if authorization != "" && isPresigned {
		return s3error.New("InvalidArgument", "ArgumentName", "Authorization").
			WithMessage(
				"Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified",
			)
	}

	// Old clients sign with version 2, which a strict server does not accept.
	if !r.Server.Strict {
		if strings.HasPrefix(authorization, algorithmV2) {
			return authenticateHeaderV2(r, authorization)
		}
		if authorization == "" && r.Has("AWSAccessKeyId") && r.Has("Signature") {
			return authenticateQueryV2(r)
		}
	}

	// Version 4 puts the signature into the header or, in a presigned URL, into the query.
	if authorization != "" {
		return AuthenticateHeader(r, authorization)
	}
	if isPresigned {
		c, err := queryClaim(r)
		if err != nil {
			return err
		}
		return verifySignature(r, c)
	}

	// The request has no signature. The client may still declare a hash of the body.
	r.Caller = request.Caller{
		Anonymous: true,
		Seal:      sign.Seal{Payload: cmp.Or(r.HTTP.Header.Get("X-Amz-Content-Sha256"), sign.UnsignedPayload)},
	}
	return nil
}

// AuthenticateHeader verifies the signature in the value of an Authorization header, and accepts no other signature,
// and no request without one.
func AuthenticateHeader(r *request.Request, value string) error {
	c, err := headerClaim(r, value)
	if err != nil {
		return err
	}
	return verifySignature(r, c)
}

// headerClaim reads the signature in the value of the Authorization header, and what it covers from other headers.
func headerClaim(r *request.Request, value string) (*claim, error) {
	fields, err := parseAuthorization(value)
	if err != nil {
		return nil, err
	}
	c := &claim{
		service:       signedService(r),
		signature:     fields["Signature"],
		signedHeaders: strings.Split(fields["SignedHeaders"], ";"),
		payload:       r.HTTP.Header.Get("X-Amz-Content-Sha256"),
	}

	if err := c.credential(fields["Credential"], malformed); err != nil {
		return nil, err
	}
	if c.payload == "" {
		return nil, s3error.New("InvalidRequest").
			WithMessage("Missing required header for this request: x-amz-content-sha256")
	}

	// The signature covers the time of the request, which must be near the server's.
	t, err := headerTime(r)
	if err != nil {
		return nil, err
	}
	c.timestamp = t.Format(sign.TimestampForm)
	if err := checkSkew(r, t, c.timestamp); err != nil {
		return nil, err
	}
	return c, checkScope(r, c, malformed)
}

// parseAuthorization returns the fields of an Authorization header, or fails if the scheme is not AWS4-HMAC-SHA256 or a
// field is missing.
func parseAuthorization(value string) (map[string]string, error) {
	rest, ok := strings.CutPrefix(value, sign.Algorithm+" ")
	if !ok && strings.HasPrefix(value, algorithmV2) {
		return nil, s3error.New("InvalidRequest").WithMessage(
			"The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
		)
	}
	if !ok {
		return nil, s3error.New("InvalidArgument", "ArgumentName", "Authorization").
			WithMessage("Unsupported Authorization Type")
	}

	// The rest has the form "Credential=A, SignedHeaders=B, Signature=C".
	fields := map[string]string{}
	for field := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		fields[name] = value
	}

	for _, name := range []string{"Credential", "SignedHeaders", "Signature"} {
		if fields[name] == "" {
			return nil, malformed("missing equal-sign in key=value pair or missing %s", name)
		}
	}
	return fields, nil
}

// checkSkew fails if the time t of a signature, whose text is timestamp, differs from the server's time by more than
// maxSkew.
func checkSkew(r *request.Request, t time.Time, timestamp string) error {
	now := r.Now()
	if now.Sub(t).Abs() <= maxSkew {
		return nil
	}
	return s3error.New("RequestTimeTooSkewed", "RequestTime", timestamp, "ServerTime", now.Format(time.RFC3339),
		"MaxAllowedSkewMilliseconds", strconv.FormatInt(maxSkew.Milliseconds(), 10))
}

// malformed returns the error of an Authorization header that does not have AWS's form.
func malformed(format string, args ...any) *s3error.Error {
	return s3error.New("AuthorizationHeaderMalformed").WithMessage(
		"The authorization header is malformed; "+format,
		args...)
}

// headerTime returns the time of the signature, from the header X-Amz-Date or Date.
func headerTime(r *request.Request) (time.Time, error) {
	value := cmp.Or(r.HTTP.Header.Get("X-Amz-Date"), r.HTTP.Header.Get("Date"))
	t, err := time.Parse(sign.TimestampForm, value)
	if err != nil {
		t, err = mail.ParseDate(value)
	}
	if err != nil {
		return time.Time{}, s3error.New("AccessDenied").
			WithMessage("AWS authentication requires a valid Date or x-amz-date header")
	}
	return t.UTC(), nil
}

// credential splits a credential, such as KEY/20260102/us-east-1/s3/aws4_request, into the access key and the scope. It
// fails, with an error of newError, if the scope has another service than the claim.
func (c *claim) credential(value string, newError func(string, ...any) *s3error.Error) error {
	// The last four parts are the scope. The access key may have slashes itself.
	const scopeParts = 4
	parts := strings.Split(value, "/")
	if len(parts) <= scopeParts {
		return newError("the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".")
	}
	key := parts[:len(parts)-scopeParts]
	scopeText := parts[len(key):]
	scope := sign.Scope{Date: scopeText[0], Region: scopeText[1], Service: scopeText[2]}
	terminator := scopeText[3]
	if scope.Service != c.service {
		return newError("incorrect service %q. This endpoint belongs to %q.", scope.Service, c.service)
	}
	if terminator != sign.Terminator {
		return newError("incorrect terminal %q. This endpoint uses \"aws4_request\".", terminator)
	}

	c.accessKey = strings.Join(key, "/")
	c.scope = scope
	return nil
}

// checkScope fails if the date of the credential scope is not that of the signature, or its region is not the server's.
// newError makes the error from a format and its values.
func checkScope(r *request.Request, c *claim, newError func(string, ...any) *s3error.Error) error {
	if date, _, complete := strings.Cut(c.timestamp, "T"); !complete || date != c.scope.Date {
		return newError("Invalid credential date %q. This date is not the same as X-Amz-Date: %q.", c.scope.Date, date)
	}
	if want := r.Server.Region; c.scope.Region != want && !r.Server.AnyRegion {
		err := newError("the region '%s' is wrong; expecting '%s'", c.scope.Region, want)
		err.Fields = append(err.Fields, "Region", want)
		return err.WithHeader("X-Amz-Bucket-Region", want)
	}
	return nil
}

// verifySignature computes the signature of a request with the secret of its access key, compares it with the one that
// the request claims to have, c.signature, and sets r.Caller.
func verifySignature(r *request.Request, c *claim) error {
	token := r.HTTP.Header.Get("X-Amz-Security-Token")
	if c.presigned {
		token = r.Query.Get("X-Amz-Security-Token")
	}
	caller, secret, err := identify(r, c.accessKey, token)
	if err != nil {
		return err
	}
	if err := checkSigned(r, c); err != nil {
		return err
	}

	// The error contains what this server has signed, so that the client can compare it.
	canonical := sign.CanonicalRequest(r.HTTP, r.Query, c.signedHeaders, c.payload)
	text := sign.StringToSign(c.timestamp, c.scope, canonical)
	key := sign.Key(secret, c.scope)
	if !sign.Equal(sign.HexMAC(key, text), c.signature) {
		return s3error.New("SignatureDoesNotMatch", "AWSAccessKeyId", c.accessKey, "StringToSign", text,
			"SignatureProvided", c.signature, "StringToSignBytes", sign.Spaced(text),
			"CanonicalRequest", canonical, "CanonicalRequestBytes", sign.Spaced(canonical))
	}

	caller.Algorithm = sign.Algorithm
	caller.Seal = sign.Seal{Payload: c.payload, Timestamp: c.timestamp, Scope: c.scope, Key: key, Signature: c.signature}
	r.Caller = caller
	return nil
}

// checkSigned fails unless the signature covers the host and every x-amz- header. It does not demand
// x-amz-content-sha256, whose value every signature covers, nor Content-Type, which AWS has never checked.
func checkSigned(r *request.Request, c *claim) error {
	if !slices.IsSorted(c.signedHeaders) || !slices.Contains(c.signedHeaders, "host") {
		return s3error.New("SignatureDoesNotMatch").WithMessage("SignedHeaders must be sorted and contain host")
	}
	var unsigned []string
	for name := range r.HTTP.Header {
		name = strings.ToLower(name)
		isRequired := strings.HasPrefix(name, "x-amz-") && name != "x-amz-content-sha256"
		if isRequired && !slices.Contains(c.signedHeaders, name) {
			unsigned = append(unsigned, name)
		}
	}
	if len(unsigned) > 0 {
		slices.Sort(unsigned)
		return s3error.New("AccessDenied", "HeadersNotSigned", strings.Join(unsigned, ", ")).
			WithMessage("There were headers present in the request which were not signed")
	}
	return nil
}

// longestTTL is the longest validity of a presigned URL, in seconds: a week.
const longestTTL = 7 * 24 * 60 * 60

// presignedParameters has the parameters that a presigned URL must have, each once.
var presignedParameters = []string{
	"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Expires",
}

// queryClaim reads the signature of a presigned URL, and the values that it covers, from the query.
func queryClaim(r *request.Request) (*claim, error) {
	// Each parameter must occur exactly once.
	for _, name := range presignedParameters {
		if len(r.Query[name]) != 1 || r.Query.Get(name) == "" {
			return nil, s3error.New("AuthorizationQueryParametersError")
		}
	}
	if r.Query.Get("X-Amz-Algorithm") != sign.Algorithm {
		return nil, wrongQuery("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256\"")
	}

	// The client of a presigned URL may still declare a hash of the body, in a header or a parameter.
	const hashName = "X-Amz-Content-Sha256"
	c := &claim{
		service:       sign.Service,
		presigned:     true,
		timestamp:     r.Query.Get("X-Amz-Date"),
		signature:     r.Query.Get("X-Amz-Signature"),
		signedHeaders: strings.Split(r.Query.Get("X-Amz-SignedHeaders"), ";"),
		payload:       cmp.Or(r.HTTP.Header.Get(hashName), r.Query.Get(hashName), sign.UnsignedPayload),
	}
	if err := c.credential(r.Query.Get("X-Amz-Credential"), wrongCredential); err != nil {
		return nil, err
	}
	return c, checkExpiry(r, c)
}

func wrongQuery(format string, args ...any) *s3error.Error {
	return s3error.New("AuthorizationQueryParametersError").WithMessage(format, args...)
}

func wrongCredential(format string, args ...any) *s3error.Error {
	return wrongQuery("Error parsing the X-Amz-Credential parameter; "+format, args...)
}

// checkExpiry fails if a presigned URL is not valid yet, has expired, or has an invalid time of either.
func checkExpiry(r *request.Request, c *claim) error {
	t, err := time.Parse(sign.TimestampForm, c.timestamp)
	if err != nil {
		return wrongQuery("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
	}
	if err := checkScope(r, c, wrongCredential); err != nil {
		return err
	}

	// The URL tells how many seconds it is valid.
	ttl, err := strconv.Atoi(r.Query.Get("X-Amz-Expires"))
	if err != nil {
		return wrongQuery("X-Amz-Expires should be a number")
	}
	if ttl < 0 {
		return wrongQuery("X-Amz-Expires must be non-negative")
	}
	if ttl > longestTTL {
		return wrongQuery("X-Amz-Expires must be less than a week (in seconds) that is %d", longestTTL)
	}

	// The clock of the client that signed the URL may differ from this one by maxSkew.
	now := r.Now()
	end := t.Add(time.Duration(ttl) * time.Second)
	if t.Sub(now) > maxSkew {
		return s3error.New("AccessDenied", "X-Amz-Date", c.timestamp, "ServerTime",
			now.Format(time.RFC3339)).WithMessage("Request is not valid yet")
	}
	if now.After(end) {
		return s3error.New("AccessDenied", "X-Amz-Expires", strconv.Itoa(ttl), "Expires", end.Format(time.RFC3339),
			"ServerTime", now.Format(time.RFC3339)).WithMessage("Request has expired")
	}
	return nil
}
