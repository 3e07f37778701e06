package s3server

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage/s3server/internal/policy"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/session"
	"github.com/omnibucket/storage/s3server/internal/sign"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// These are AWS's names and limits for AssumeRole.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
const (
	stsService       = "sts"
	stsVersion       = "2011-06-15"
	stsNamespace     = "https://sts.amazonaws.com/doc/" + stsVersion + "/"
	maxSTSBody       = 64 << 10 // bytes
	maxSessionPolicy = 2048     // characters
	shortestSession  = 15 * time.Minute
	longestSession   = 12 * time.Hour
	defaultSession   = time.Hour
)

// assumeRole responds with temporary credentials for the caller's account, perhaps limited by a
// session policy. Like MinIO, the server has no roles, so RoleArn and RoleSessionName have no
// effect.
func assumeRole(r *request) error {
	err := answerSTS(r)
	if err == nil {
		return nil
	}
	failure := asAPIError(err)
	if failure.Code == "InvalidAccessKeyId" {
		failure = s3error.New("InvalidClientTokenId")
	}
	r.failure = failure
	r.refuse(func() {
		sendSTS(r, failure.Status, stsError(failure, r.id))
	})
	return nil
}

func answerSTS(r *request) error {
	query, err := readSTS(r)
	if err != nil {
		return err
	}
	if query.Get("Action") != "AssumeRole" {
		return s3error.New("InvalidAction").WithMessage("Could not find operation %s", query.Get("Action"))
	}
	if query.Get("Version") != stsVersion {
		return s3error.New("InvalidAction").WithMessage("Could not find version %s", query.Get("Version"))
	}
	if r.caller.anonymous || r.caller.temporary {
		return s3error.New("AccessDenied") // as on MinIO, a session cannot create another session
	}
	lasts, err := sessionTime(query.Get("DurationSeconds"))
	if err != nil {
		return err
	}
	for name := range query {
		// Ignoring these policies would give the session more permissions than the caller asked
		// for.
		if strings.HasPrefix(name, "PolicyArns.") {
			return s3error.New("NotImplemented").WithMessage("This server has no managed policies for PolicyArns")
		}
	}
	document := query.Get("Policy")
	if document != "" {
		if len(document) > maxSessionPolicy {
			return s3error.New("ValidationError").
				WithMessage("Policy must have at most %d characters", maxSessionPolicy)
		}
		if _, err := policy.ParseSession([]byte(document)); err != nil {
			return s3error.New("MalformedPolicyDocument").WithMessage("%s", asAPIError(err).Message)
		}
	}
	parent, _ := r.server.parent(r.caller.accessKey)
	expires := r.now().Add(lasts).Truncate(time.Second)
	s, token := session.New(parent.AccessKeyID, parent.SecretKey, document, expires)
	response := assumeRoleResponse{Namespace: stsNamespace, RequestID: r.id}
	response.Result.User.ID = s.AccessKeyID
	response.Result.User.ARN = "arn:aws:sts::" + parent.Account + ":assumed-role/session/" + s.AccessKeyID
	response.Result.Credentials = stsCredentials{
		AccessKeyID:  s.AccessKeyID,
		SecretKey:    session.SecretKey(token, parent.SecretKey),
		SessionToken: token,
		Expiration:   expires.Format(time.RFC3339),
	}
	response.Result.PackedPolicySize = (len(document)*100 + maxSessionPolicy - 1) / maxSessionPolicy
	sendSTS(r, http.StatusOK, response)
	return nil
}

// readSTS verifies the signature of a request to STS. It returns the parameters in the query and
// the body. If both have a parameter, the one in the body counts. The signature covers the hash of
// the body, even if the client does not send the hash in a header.
func readSTS(r *request) (url.Values, error) {
	r.body.until = time.Now().Add(documentTimeout)
	body, err := io.ReadAll(io.LimitReader(r.in.Body, maxSTSBody+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxSTSBody {
		return nil, tooLarge(int64(len(body)), maxSTSBody)
	}
	sum := sha256.Sum256(body)
	digest := hex.EncodeToString(sum[:])
	if hash := r.in.Header.Get("X-Amz-Content-Sha256"); hash != "" && hash != digest {
		return nil, s3error.New("XAmzContentSHA256Mismatch")
	}
	r.in.Header = r.in.Header.Clone()
	r.in.Header.Set("X-Amz-Content-Sha256", digest)
	authorization := r.in.Header.Get("Authorization")
	if authorization == "" {
		return nil, s3error.New("MissingAuthenticationToken")
	}
	c, err := headerClaim(r, authorization)
	if err != nil {
		return nil, err
	}
	if err := verifySignature(r, c); err != nil {
		return nil, err
	}
	form, err := parseQuery(string(body))
	if err != nil {
		return nil, err
	}
	query := maps.Clone(r.query)
	maps.Copy(query, form)
	return query, nil
}

// sessionTime parses DurationSeconds. Without a value, it returns one hour.
func sessionTime(text string) (time.Duration, error) {
	if text == "" {
		return defaultSession, nil
	}
	seconds, err := strconv.Atoi(text)
	lasts := time.Duration(seconds) * time.Second
	if err != nil || seconds > int(longestSession/time.Second) || lasts < shortestSession {
		return 0, s3error.New("ValidationError").WithMessage(
			"DurationSeconds must be from %d to %d", int(shortestSession.Seconds()), int(longestSession.Seconds()))
	}
	return lasts, nil
}

type assumeRoleResponse struct {
	XMLName   xml.Name `xml:"AssumeRoleResponse"`
	Namespace string   `xml:"xmlns,attr"`
	Result    struct {
		User struct {
			ARN string `xml:"Arn"`
			ID  string `xml:"AssumedRoleId"`
		} `xml:"AssumedRoleUser"`
		Credentials      stsCredentials
		PackedPolicySize int // percent
	} `xml:"AssumeRoleResult"`
	RequestID string `xml:"ResponseMetadata>RequestId"`
}

type stsCredentials struct {
	AccessKeyID  string `xml:"AccessKeyId"`
	SecretKey    string `xml:"SecretAccessKey"`
	SessionToken string
	Expiration   string
}

type stsErrorResponse struct {
	XMLName   xml.Name    `xml:"ErrorResponse"`
	Namespace string      `xml:"xmlns,attr"`
	Type      string      `xml:"Error>Type"`
	Code      string      `xml:"Error>Code"`
	Message   xmldoc.Text `xml:"Error>Message"`
	RequestID string      `xml:"RequestId"`
}

func stsError(e *s3error.Error, id string) stsErrorResponse {
	kind := "Sender"
	if e.Status >= http.StatusInternalServerError {
		kind = "Receiver"
	}
	return stsErrorResponse{
		Namespace: stsNamespace,
		Type:      kind,
		Code:      e.Code,
		Message:   xmldoc.Text(e.Message),
		RequestID: id,
	}
}

func sendSTS(r *request, status int, document any) {
	body, _ := xml.Marshal(document) // encoding these documents cannot fail
	header := r.w.Header()
	header.Set("Content-Type", "text/xml")
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	r.w.WriteHeader(status)
	_, _ = r.w.Write(body)
}

// signedService returns the name of the service for which the request must be signed. The scope of
// the signature contains that name.
func signedService(r *request) string {
	if r.operation == "AssumeRole" {
		return stsService
	}
	return sign.Service
}

// identify returns the caller to whom an access key and a session token belong, and the secret of
// the key. It verifies the session token, but not the signature of the request.
func identify(r *request, accessKey, token string) (caller, string, error) {
	if _, isOwn := r.server.parent(accessKey); isOwn || !strings.HasPrefix(accessKey, session.KeyPrefix) {
		c, err := r.server.credential(accessKey, token)
		return caller{accessKey: accessKey, account: c.Account, readOnly: c.ReadOnly}, c.SecretKey, err
	}
	if token == "" { // as on AWS, a temporary key is unknown without its token
		return caller{}, "", s3error.New("InvalidAccessKeyId", "AWSAccessKeyId", accessKey)
	}
	invalid := s3error.New("InvalidToken", "Token-0", token)
	s, ok := session.Read(token)
	parent, known := r.server.parent(s.Parent)
	if !ok || !known || s.AccessKeyID != accessKey || !session.Verify(token, parent.SecretKey) {
		return caller{}, "", invalid
	}
	if r.now().Unix() >= s.Expires {
		return caller{}, "", s3error.New("ExpiredToken", "Token-0", token)
	}
	c := caller{accessKey: accessKey, account: parent.Account, readOnly: parent.ReadOnly, temporary: true}
	if s.Policy != "" {
		var err error
		if c.session, err = policy.ParseSession([]byte(s.Policy)); err != nil {
			return caller{}, "", invalid // the policy is one that only an earlier version of the server accepted
		}
	}
	return c, session.SecretKey(token, parent.SecretKey), nil
}

// parent returns the credential in Config.Credentials with this access key. It returns false if
// there is none.
func (h *Handler) parent(accessKey string) (Credential, bool) {
	for _, c := range h.config.Credentials {
		if c.AccessKeyID == accessKey {
			return c, true
		}
	}
	return Credential{}, false
}

// inSession reports whether the session policy of the caller allows the access. Without a session
// policy, it returns true.
func (a *access) inSession() bool {
	if a.caller.session == nil {
		return true
	}
	allowed, denied := a.caller.session.Judge(a.subject())
	if !allowed || denied {
		return false
	}
	if a.key == "" || !policy.OnObjects(a.action) || !a.needsObject() || a.version() != nil {
		return true
	}
	// The object is missing. Only a session with the permission to list may learn this.
	list := *a
	list.action, list.key, list.prefix = "s3:ListBucket", "", &a.key
	return list.inSession()
}

// requestInSession is like inSession, but for an action that is not on an existing bucket, such as
// s3:CreateBucket.
func requestInSession(r *request, action, resource string) bool {
	if r.caller.session == nil {
		return true
	}
	allowed, denied := r.caller.session.Judge(subjectOf(r, action, resource))
	return allowed && !denied
}
