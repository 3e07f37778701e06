// Package policy has the language of bucket policies. Parse reads a policy, and refuses policies
// that AWS refuses or that this server does not understand. Judge then says whether it allows or
// denies a request. A condition of a policy compares a key, such as "aws:SourceIp", with the values
// that the request has for it.
package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/wildcard"
)

// A Policy is the policy of a bucket. A policy with a part that this server does not
// understand is refused, so that no statement is ignored.
type Policy struct {
	document  []byte // as it was sent
	Version   string
	ID        string `json:"Id"`
	Statement oneOrMany[statement]
}

// A statement allows or denies actions. It has either Principal or NotPrincipal, and one of
// each other pair.
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
	idle         bool // an action applies to none of the resources
}

// oneOrMany is a JSON list, or its only element without brackets.
type oneOrMany[T any] []T

// UnmarshalJSON reads a list, or a single element.
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

// checkNames refuses a document in which an object has a name twice: encoding/json would ignore
// the first value.
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

// Text returns the document as it was sent.
func (p *Policy) Text() []byte { return p.document }

// MarshalJSON returns the text in base64, because a store keeps it as it was sent.
func (p *Policy) MarshalJSON() ([]byte, error) { return json.Marshal(p.document) }

// UnmarshalJSON reads the text, which [Parse] must read again for the bucket.
func (p *Policy) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, &p.document) }

// unescaped writes the beginning of a variable without JSON's escapes.
var unescaped = strings.NewReplacer(`\u0024`, "$", `\u007b`, "{", `\u007B`, "{")

// Parse refuses a policy that AWS refuses, and one that it does not understand.
func Parse(document []byte, bucket string) (*Policy, error) {
	p, err := Restore(document, bucket)
	if err == nil && slices.ContainsFunc(p.Statement, func(s statement) bool { return s.idle }) {
		return nil, malformedPolicy("Action does not apply to any resource(s) in statement")
	}
	return p, err
}

// Restore is Parse for a stored policy. Such a policy may have an action that applies to none of its resources,
// because earlier servers accepted it.
func Restore(document []byte, bucket string) (*Policy, error) {
	p := &Policy{document: document}
	if len(document) > maxPolicy {
		return nil, s3error.New("PolicyTooLarge")
	}
	err := checkNames(json.NewDecoder(bytes.NewReader(document)), 0)
	if err == nil {
		type plain Policy // without UnmarshalJSON
		err = strictJSON(document, (*plain)(p))
	}
	refused, isRefused := errors.AsType[*s3error.Error](err)
	switch {
	case isRefused:
		return nil, refused
	case err != nil || !bytes.HasPrefix(bytes.TrimSpace(document), []byte("{")):
		return nil, s3error.New("MalformedPolicy")
	case p.Version != "" && p.Version != "2012-10-17" && p.Version != "2008-10-17":
		return nil, malformedPolicy("The policy must contain a valid version string")
	case len(p.Statement) == 0:
		return nil, malformedPolicy("Missing required field Statement")
	case p.Version == "2012-10-17" && strings.Contains(unescaped.Replace(string(document)), "${"):
		return nil, s3error.New("NotImplemented").WithMessage("This server does not implement variables in policies")
	}
	ids := map[string]bool{}
	for i := range p.Statement {
		s := &p.Statement[i]
		if s.Sid != "" && ids[s.Sid] {
			return nil, malformedPolicy("Statement IDs (SID) in a single policy must be unique.")
		}
		ids[s.Sid] = true
		if err := s.check(bucket); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// check checks a statement.
func (s *statement) check(bucket string) error {
	switch {
	case s.Effect != "Allow" && s.Effect != "Deny":
		return malformedPolicy("Invalid effect: %s", s.Effect)
	case (s.Principal == nil) == (s.NotPrincipal == nil):
		return malformedPolicy("Missing required field Principal")
	case s.NotPrincipal != nil && s.Effect == "Allow":
		return malformedPolicy("Allow with NotPrincipal is not allowed.")
	case (s.Action == nil) == (s.NotAction == nil) || len(s.Action)+len(s.NotAction) == 0:
		return malformedPolicy("Missing required field Action")
	case (s.Resource == nil) == (s.NotResource == nil) || len(s.Resource)+len(s.NotResource) == 0:
		return malformedPolicy("Missing required field Resource")
	}
	onBucket, onObject := false, false
	for _, resource := range slices.Concat(s.Resource, s.NotResource) {
		name, found := strings.CutPrefix(resource, "arn:aws:s3:::")
		name, _, object := strings.Cut(name, "/")
		if resource != "*" && (!found || !wildcard.Match(name, bucket)) {
			return malformedPolicy("Policy has invalid resource")
		}
		onBucket, onObject = onBucket || !object, onObject || object || strings.Contains(name, "*")
	}
	for _, pattern := range slices.Concat(s.Action, s.NotAction) {
		actions := actionsLike(pattern)
		if len(actions) == 0 {
			return malformedPolicy("Policy has invalid action")
		}
		applies := func(action string) bool { return OnObjects(action) && onObject || !OnObjects(action) && onBucket }
		s.idle = s.idle || s.Action != nil && s.Resource != nil && !slices.ContainsFunc(actions, applies)
	}
	return nil
}

// actionsLike returns the actions that a pattern of a policy names.
func actionsLike(pattern string) (actions []string) {
	for _, action := range Actions {
		if actionMatches(pattern, action) {
			actions = append(actions, action)
		}
	}
	return actions
}

func actionMatches(pattern, action string) bool {
	return wildcard.Match(strings.ToLower(pattern), strings.ToLower(action))
}

// applies reports whether the statement applies to this request.
func (s *statement) applies(r *Request) bool {
	if s.Principal != nil && !s.Principal.include(r) || s.NotPrincipal != nil && s.NotPrincipal.include(r) {
		return false
	}
	sameAction := func(pattern string) bool { return actionMatches(pattern, r.Action) }
	sameResource := func(pattern string) bool { return wildcard.Match(pattern, r.Resource) }
	if s.Action != nil && !slices.ContainsFunc(s.Action, sameAction) ||
		s.NotAction != nil && slices.ContainsFunc(s.NotAction, sameAction) ||
		s.Resource != nil && !slices.ContainsFunc(s.Resource, sameResource) ||
		s.NotResource != nil && slices.ContainsFunc(s.NotResource, sameResource) {
		return false
	}
	for i := range s.Condition {
		c := &s.Condition[i]
		holds := s.Effect == "Allow" // as when the upload was begun, which was permitted
		if !r.judgedBefore(c.key) {
			holds = c.holds(r)
		}
		if !holds {
			return false
		}
	}
	return true
}

// Judge reports whether a statement allows the request, and whether one denies it.
func (p *Policy) Judge(r *Request) (allowed, denied bool) {
	if p == nil {
		return false, false
	}
	for i := range p.Statement {
		s := &p.Statement[i]
		if s.applies(r) {
			allowed, denied = allowed || s.Effect == "Allow", denied || s.Effect == "Deny"
		}
	}
	return allowed, denied
}

// Public reports whether the policy allows everyone something, by AWS's rule: only some
// keys with fixed values make a statement private.
func (p *Policy) Public() bool {
	return p != nil && slices.ContainsFunc(p.Statement, func(s statement) bool {
		return s.Effect == "Allow" && s.Principal != nil && s.Principal.everyone &&
			!slices.ContainsFunc(s.Condition, condition.fixed)
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
			return network.Addr().Is4() && network.Bits() < widestIPv4 ||
				!network.Addr().Is4() && network.Bits() < widestIPv6
		}
		return strings.ContainsAny(value, "*?")
	})
}
