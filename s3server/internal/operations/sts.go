package operations

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

	"github.com/omnibucket/storage/s3server/internal/access"
	"github.com/omnibucket/storage/s3server/internal/policy"
	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/session"
	"github.com/omnibucket/storage/s3server/internal/storageerror"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// These are AWS's names and limits for AssumeRole.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
const (
	stsVersion       = "2011-06-15"
	stsNamespace     = "https://sts.amazonaws.com/doc/" + stsVersion + "/"
	maxSTSBody       = 64 << 10 // bytes
	maxSessionPolicy = 2048     // characters
	shortestSession  = 15 * time.Minute
	longestSession   = 12 * time.Hour
	defaultSession   = time.Hour
)

// assumeRole responds with temporary credentials for the caller's account, which a session policy may
// limit. Like MinIO, the server has no roles, so RoleArn and RoleSessionName have no effect.
func assumeRole(r *request.Request) error {
	err := answerSTS(r)
	if err == nil {
		return nil
	}

	failure := storageerror.Response(err)
	if failure.Code == "InvalidAccessKeyId" {
		// STS has another name for this error.
		failure = s3error.New("InvalidClientTokenId")
	}

	r.Failure = failure
	r.Refuse(func() {
		sendSTS(r, failure.Status, stsError(failure, r.ID))
	})
	return nil
}

// answerSTS responds to AssumeRole. If it returns an error, it has sent nothing.
func answerSTS(r *request.Request) error {
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
	if r.Caller.Anonymous || r.Caller.IsTemporary {
		// As on MinIO, a session cannot create another session.
		return s3error.New("AccessDenied")
	}

	duration, err := sessionTime(query.Get("DurationSeconds"))
	if err != nil {
		return err
	}

	// Without the policies that it names, the session would have more permissions than the caller wants.
	for name := range query {
		if strings.HasPrefix(name, "PolicyArns.") {
			return s3error.New("NotImplemented").WithMessage("This server has no managed policies for PolicyArns")
		}
	}
	document := query.Get("Policy")
	if err := checkSessionPolicy(document); err != nil {
		return err
	}

	parent, _ := r.Server.Keys.Parent(r.Caller.AccessKey)
	expires := r.Now().Add(duration).Truncate(time.Second)
	s, token := session.New(parent.AccessKeyID, parent.SecretKey, document, expires)

	response := assumeRoleResponse{Namespace: stsNamespace, RequestID: r.ID}
	response.Result.User.ID = s.AccessKeyID
	response.Result.User.ARN = "arn:aws:sts::" + parent.Account + ":assumed-role/session/" + s.AccessKeyID
	response.Result.Credentials = stsCredentials{
		AccessKeyID:  s.AccessKeyID,
		SecretKey:    session.SecretKey(token, parent.SecretKey),
		SessionToken: token,
		Expiration:   expires.Format(time.RFC3339),
	}
	// The size is in percent of the permitted size, rounded up.
	response.Result.PackedPolicySize = (len(document)*100 + maxSessionPolicy - 1) / maxSessionPolicy
	sendSTS(r, http.StatusOK, response)
	return nil
}

// checkSessionPolicy fails if a session cannot have this policy, which is "" if there is none.
func checkSessionPolicy(document string) error {
	if document == "" {
		return nil
	}
	if len(document) > maxSessionPolicy {
		return s3error.New("ValidationError").WithMessage("Policy must have at most %d characters", maxSessionPolicy)
	}
	if _, err := policy.ParseSession([]byte(document)); err != nil {
		return s3error.New("MalformedPolicyDocument").WithMessage("%s", storageerror.Response(err).Message)
	}
	return nil
}

// readSTS verifies the signature of a request to STS, and returns the parameters in its body and query.
// Those in the body take precedence.
func readSTS(r *request.Request) (url.Values, error) {
	r.SetBodyDeadline()
	// One byte more than the limit shows that a body is too large.
	body, err := io.ReadAll(io.LimitReader(r.HTTP.Body, maxSTSBody+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxSTSBody {
		return nil, request.TooLarge(int64(len(body)), maxSTSBody)
	}

	// The signature covers the hash of the body, even if the client sends no header with it.
	sum := sha256.Sum256(body)
	digest := hex.EncodeToString(sum[:])
	if hash := r.HTTP.Header.Get("X-Amz-Content-Sha256"); hash != "" && hash != digest {
		return nil, s3error.New("XAmzContentSHA256Mismatch")
	}
	r.HTTP.Header = r.HTTP.Header.Clone()
	r.HTTP.Header.Set("X-Amz-Content-Sha256", digest)

	authorization := r.HTTP.Header.Get("Authorization")
	if authorization == "" {
		return nil, s3error.New("MissingAuthenticationToken")
	}
	if err := access.AuthenticateHeader(r, authorization); err != nil {
		return nil, err
	}

	// The body is a form, whose parameters replace those of the query.
	form, err := request.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	parameters := maps.Clone(r.Query)
	maps.Copy(parameters, form)
	return parameters, nil
}

// sessionTime parses the parameter DurationSeconds, whose default is one hour.
func sessionTime(text string) (time.Duration, error) {
	if text == "" {
		return defaultSession, nil
	}

	shortest := int(shortestSession.Seconds())
	longest := int(longestSession.Seconds())
	seconds, err := strconv.Atoi(text)
	if err != nil || seconds < shortest || seconds > longest {
		return 0, s3error.New("ValidationError").WithMessage(
			"DurationSeconds must be from %d to %d", shortest, longest)
	}
	return time.Duration(seconds) * time.Second, nil
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

// stsError returns an error in the form of STS, which says whether the sender or the receiver has caused it.
func stsError(err *s3error.Error, id string) stsErrorResponse {
	kind := "Sender"
	if err.Status >= http.StatusInternalServerError {
		kind = "Receiver"
	}
	return stsErrorResponse{
		Namespace: stsNamespace,
		Type:      kind,
		Code:      err.Code,
		Message:   xmldoc.Text(err.Message),
		RequestID: id,
	}
}

// sendSTS responds to a request to STS with a document.
func sendSTS(r *request.Request, status int, document any) {
	// These documents can always be encoded.
	body, _ := xml.Marshal(document)

	header := r.Writer.Header()
	header.Set("Content-Type", "text/xml")
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	r.Writer.WriteHeader(status)
	_, _ = r.Writer.Write(body)
}
