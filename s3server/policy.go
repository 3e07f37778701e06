package s3server

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/wildcard"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// A policy is the policy of a bucket. A policy with a part that this server does not
// understand is refused, so that no statement is ignored.
type policy struct {
	document  []byte // as it was sent
	Version   string
	ID        string `json:"Id"`
	Statement oneOrMany[statement]
}

// A statement allows or denies actions. Of Principal and NotPrincipal it has one, and so of
// the other pairs.
type statement struct {
	Sid          string
	Effect       string
	Principal    *principals
	NotPrincipal *principals
	Action       oneOrMany[string]
	NotAction    oneOrMany[string]
	Resource     oneOrMany[string]
	NotResource  oneOrMany[string]
	Condition    conditions
}

// oneOrMany is a JSON list, or its only element without brackets.
type oneOrMany[T any] []T

// UnmarshalJSON reads either form.
func (l *oneOrMany[T]) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(data, []byte("[")) {
		return strictJSON(data, (*[]T)(l))
	}
	*l = make([]T, 1)
	return strictJSON(data, &(*l)[0])
}

const maxPolicy = 20 << 10 // bytes

func malformedPolicy(format string, args ...any) *s3error.Error {
	return s3error.New("MalformedPolicy").WithMessage(format, args...)
}

// strictJSON is json.Unmarshal, but refuses fields that v does not have.
func strictJSON(data []byte, v any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		return err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return malformedPolicy("Policies must be valid JSON and the first byte must be '{'")
	}
	return nil
}

// checkNames refuses a document in which an object has a name twice: encoding/json would
// ignore the first.
func checkNames(decoder *json.Decoder, depth int) error {
	token, err := decoder.Token()
	open, isDelim := token.(json.Delim)
	if err != nil || !isDelim {
		return err
	}
	const deepest = 20
	if depth > deepest {
		return malformedPolicy("Policy is nested too deeply")
	}
	names := map[string]bool{}
	for decoder.More() {
		if open == '{' {
			name, err := decoder.Token()
			if err != nil {
				return err
			}
			lower := strings.ToLower(name.(string))
			if names[lower] {
				return malformedPolicy("Duplicate name in the policy: %s", name)
			}
			names[lower] = true
		}
		if err := checkNames(decoder, depth+1); err != nil {
			return err
		}
	}
	_, err = decoder.Token()
	return err
}

// parsePolicy refuses a policy that AWS refuses, and one that it does not understand.
func parsePolicy(document []byte, b *bucket, strict bool) (*policy, error) {
	p := &policy{document: document}
	if len(document) > maxPolicy {
		return nil, s3error.New("PolicyTooLarge")
	}
	err := checkNames(json.NewDecoder(bytes.NewReader(document)), 0)
	if err == nil {
		err = strictJSON(document, p)
	}
	var refused *s3error.Error
	switch {
	case errors.As(err, &refused):
		return nil, refused
	case err != nil || !bytes.HasPrefix(bytes.TrimSpace(document), []byte("{")):
		return nil, s3error.New("MalformedPolicy")
	case p.Version != "" && p.Version != "2012-10-17" && p.Version != "2008-10-17":
		return nil, malformedPolicy("The policy must contain a valid version string")
	case len(p.Statement) == 0:
		return nil, malformedPolicy("Missing required field Statement")
	case p.Version == "2012-10-17" && bytes.Contains(document, []byte("${")):
		return nil, s3error.New("NotImplemented").WithMessage("This server does not implement variables in policies")
	}
	ids := map[string]bool{}
	for i := range p.Statement {
		s := &p.Statement[i]
		if s.Sid != "" && ids[s.Sid] {
			return nil, malformedPolicy("Statement IDs (SID) in a single policy must be unique.")
		}
		ids[s.Sid] = true
		if err := s.check(b, strict); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// check checks a statement.
func (s *statement) check(b *bucket, strict bool) error {
	switch {
	case s.Effect != "Allow" && s.Effect != "Deny":
		return malformedPolicy("Invalid effect: %s", s.Effect)
	case (s.Principal == nil) == (s.NotPrincipal == nil):
		return malformedPolicy("Missing required field Principal")
	case s.NotPrincipal != nil && s.Effect == "Allow":
		return malformedPolicy("Allow with NotPrincipal is not allowed.")
	case (len(s.Action) == 0) == (len(s.NotAction) == 0):
		return malformedPolicy("Missing required field Action")
	case (len(s.Resource) == 0) == (len(s.NotResource) == 0):
		return malformedPolicy("Missing required field Resource")
	}
	var named []string
	for _, pattern := range slices.Concat(s.Action, s.NotAction) {
		actions := actionsLike(pattern)
		if len(actions) == 0 {
			return malformedPolicy("Policy has invalid action")
		}
		named = append(named, actions...)
	}
	onBucket, onObject := false, false
	for _, resource := range slices.Concat(s.Resource, s.NotResource) {
		name, found := strings.CutPrefix(resource, "arn:aws:s3:::")
		name, _, object := strings.Cut(name, "/")
		if resource != "*" && (!found || !wildcard.Match(name, b.name)) {
			return malformedPolicy("Policy has invalid resource")
		}
		wild := strings.Contains(name, "*") || resource == "*"
		onBucket, onObject = onBucket || !object, onObject || object || wild
	}
	if strict && s.Action != nil && s.Resource != nil && !slices.ContainsFunc(named, func(action string) bool {
		return onObjects(action) && onObject || !onObjects(action) && onBucket
	}) {
		return malformedPolicy("Action does not apply to any resource(s) in statement")
	}
	return nil
}

// actionsLike returns the actions that a pattern of a policy names.
func actionsLike(pattern string) (actions []string) {
	for _, action := range policyActions {
		if actionMatches(pattern, action) {
			actions = append(actions, action)
		}
	}
	return actions
}

func actionMatches(pattern, action string) bool {
	return wildcard.Match(strings.ToLower(pattern), strings.ToLower(action))
}

// applies reports whether the statement is about this access.
func (s *statement) applies(a *access) bool {
	if s.Principal != nil && !s.Principal.include(a.caller) || s.NotPrincipal != nil && s.NotPrincipal.include(a.caller) {
		return false
	}
	sameAction := func(pattern string) bool { return actionMatches(pattern, a.action) }
	resource := a.resource()
	sameResource := func(pattern string) bool { return wildcard.Match(pattern, resource) }
	if s.Action != nil && !slices.ContainsFunc(s.Action, sameAction) || s.NotAction != nil && slices.ContainsFunc(s.NotAction, sameAction) ||
		s.Resource != nil && !slices.ContainsFunc(s.Resource, sameResource) || s.NotResource != nil && slices.ContainsFunc(s.NotResource, sameResource) {
		return false
	}
	for i := range s.Condition {
		c := &s.Condition[i]
		holds := s.Effect == "Allow" // as when the upload was begun, which was permitted
		if !a.judgedBefore(c.key) {
			holds = c.holds(a)
		}
		if !holds {
			return false
		}
	}
	return true
}

// judge reports whether a statement allows the access, and whether one denies it.
func (p *policy) judge(a *access) (allowed, denied bool) {
	if p == nil {
		return false, false
	}
	for i := range p.Statement {
		s := &p.Statement[i]
		if s.applies(a) {
			allowed, denied = allowed || s.Effect == "Allow", denied || s.Effect == "Deny"
		}
	}
	return allowed, denied
}

// public reports whether the policy allows everyone something, by AWS's rule: only some
// keys with fixed values make a statement private.
func (p *policy) public() bool {
	return p != nil && slices.ContainsFunc(p.Statement, func(s statement) bool {
		return s.Effect == "Allow" && s.Principal != nil && s.Principal.everyone && !slices.ContainsFunc(s.Condition, condition.fixed)
	})
}

// fixingKeys are the keys whose fixed values make a statement private.
var fixingKeys = []string{
	"aws:principalorgid", "aws:principalorgpaths", "aws:sourceaccount", "aws:sourcearn", "aws:sourceip", "aws:sourceowner", "aws:sourcevpc",
	"aws:sourcevpce", "aws:userid", "aws:principalarn", "aws:principalaccount", "s3:dataaccesspointaccount", "s3:dataaccesspointarn",
	"s3:x-amz-server-side-encryption-aws-kms-key-id",
}

// fixed reports whether the condition restricts its statement to known senders.
func (c condition) fixed() bool {
	if !slices.Contains(fixingKeys, c.key) || c.null || c.ifExists || c.operator.negated || c.each == "ForAllValues" {
		return false
	}
	const widestIPv4, widestIPv6 = 8, 32
	return !slices.ContainsFunc(c.values, func(value string) bool {
		if network, ok := parseNetwork(value); ok && c.key == "aws:sourceip" {
			return network.Addr().Is4() && network.Bits() < widestIPv4 || !network.Addr().Is4() && network.Bits() < widestIPv6
		}
		return strings.ContainsAny(value, "*?")
	})
}

func putPolicy(r *request) error {
	document, err := r.readDocument()
	if err != nil {
		return err
	}
	return r.setting(http.StatusNoContent, func(b *bucket) error {
		p, err := parsePolicy(document, b, r.server.config.Strict)
		if err != nil {
			return err
		}
		if p.public() && b.block != nil && b.block.BlockPublicPolicy {
			return s3error.New("AccessDenied").WithMessage("User is not authorized to perform: s3:PutBucketPolicy because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access.")
		}
		b.policy = p
		return nil
	})
}

func getPolicy(r *request) error {
	var document []byte
	err := r.view(func(b *bucket) error {
		if b.policy == nil {
			return s3error.New("NoSuchBucketPolicy", "BucketName", b.name)
		}
		document = b.policy.document
		return nil
	})
	if err != nil {
		return err
	}
	r.w.Header().Set("Content-Type", "application/json")
	r.w.WriteHeader(http.StatusOK)
	r.send(document)
	return nil
}

func deletePolicy(r *request) error {
	return r.setting(http.StatusNoContent, func(b *bucket) error {
		b.policy = nil
		return nil
	})
}

// policyStatus says whether the policy makes the bucket public. Unless the server is
// strict, a list of the bucket counts, too, and a bucket without a policy is no error.
type policyStatus struct {
	XMLName  xml.Name `xml:"PolicyStatus"`
	Xmlns    string   `xml:"xmlns,attr"`
	IsPublic bool
}

func getPolicyStatus(r *request) error {
	response := policyStatus{Xmlns: xmldoc.Namespace}
	err := r.view(func(b *bucket) error {
		if b.policy == nil && r.server.config.Strict {
			return s3error.New("NoSuchBucketPolicy", "BucketName", b.name)
		}
		response.IsPublic = b.policy.public() || !r.server.config.Strict && b.acl.public()
		return nil
	})
	if err != nil {
		return err
	}
	return r.writeXML(response)
}
