package s3server

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"strings"
)

// A policy is the policy of a bucket, as far as it applies to everyone.
type policy struct {
	document  []byte // as it was sent
	Version   string
	Statement oneOrMany[statement]
}

type statement struct {
	Effect    string
	Principal principal
	Action    oneOrMany[string]
	Resource  oneOrMany[string]
	Condition map[string]any
}

// oneOrMany is a JSON list, or its only element without brackets.
type oneOrMany[T any] []T

// UnmarshalJSON reads either form.
func (l *oneOrMany[T]) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(data, []byte("[")) {
		return json.Unmarshal(data, (*[]T)(l))
	}
	*l = make([]T, 1)
	return json.Unmarshal(data, &(*l)[0])
}

// A principal is everyone, or someone unknown to this server.
type principal struct{ everyone bool }

// UnmarshalJSON reads "*" and {"AWS": "*"}.
func (p *principal) UnmarshalJSON(data []byte) error {
	var name string
	if json.Unmarshal(data, &name) == nil {
		p.everyone = name == "*"
		return nil
	}
	var kinds map[string]oneOrMany[string]
	if err := json.Unmarshal(data, &kinds); err != nil {
		return err
	}
	for _, name := range kinds["AWS"] {
		p.everyone = p.everyone || name == "*"
	}
	return nil
}

const maxPolicy = 20 << 10 // bytes

// parsePolicy refuses a policy that AWS refuses.
func parsePolicy(document []byte, b *bucket) (*policy, error) {
	p := &policy{document: document}
	if !bytes.HasPrefix(bytes.TrimSpace(document), []byte("{")) || len(document) > maxPolicy || json.Unmarshal(document, p) != nil {
		return nil, newError("MalformedPolicy")
	}
	if len(p.Statement) == 0 {
		return nil, newError("MalformedPolicy").withMessage("Missing required field Statement")
	}
	for _, s := range p.Statement {
		if s.Effect != "Allow" && s.Effect != "Deny" {
			return nil, newError("MalformedPolicy").withMessage("Invalid effect: %s", s.Effect)
		}
		if len(s.Action) == 0 || len(s.Resource) == 0 {
			return nil, newError("MalformedPolicy").withMessage("Missing required field Action or Resource")
		}
		for _, resource := range s.Resource {
			if resource != b.resource("") && !strings.HasPrefix(resource, b.resource("")+"/") {
				return nil, newError("MalformedPolicy").withMessage("Policy has invalid resource")
			}
		}
	}
	return p, nil
}

// public reports whether the policy allows everyone something, without a condition.
func (p *policy) public() bool {
	for _, s := range p.Statement {
		if s.Effect == "Allow" && s.Principal.everyone && len(s.Condition) == 0 {
			return true
		}
	}
	return false
}

// allows reports whether everyone may do this. A Deny wins.
func (p *policy) allows(action, resource string) bool {
	allowed := false
	for _, s := range p.Statement {
		if !s.Principal.everyone || len(s.Condition) > 0 || !anyWildcardMatch(s.Action, action) || !anyWildcardMatch(s.Resource, resource) {
			continue
		}
		if s.Effect == "Deny" {
			return false
		}
		allowed = true
	}
	return allowed
}

func anyWildcardMatch(patterns []string, value string) bool {
	for _, pattern := range patterns {
		if wildcardMatch(pattern, value) {
			return true
		}
	}
	return false
}

// wildcardMatch matches a pattern in which "*" stands for anything.
func wildcardMatch(pattern, value string) bool {
	head, rest, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == value
	}
	if !strings.HasPrefix(value, head) {
		return false
	}
	for value = value[len(head):]; ; value = value[1:] {
		if wildcardMatch(rest, value) {
			return true
		}
		if value == "" {
			return false
		}
	}
}

func (r *request) putPolicy() error {
	document, err := r.readDocument()
	if err != nil {
		return err
	}
	return r.setting(http.StatusNoContent, func(b *bucket) error {
		p, err := parsePolicy(document, b)
		if err != nil {
			return err
		}
		if p.public() && b.block != nil && b.block.BlockPublicPolicy {
			return newError("AccessDenied").withMessage("User is not authorized to perform: s3:PutBucketPolicy because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access.")
		}
		b.policy = p
		return nil
	})
}

func (r *request) getPolicy() error {
	var document []byte
	err := r.view(func(b *bucket) error {
		if b.policy == nil {
			return newError("NoSuchBucketPolicy", "BucketName", b.name)
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

func (r *request) deletePolicy() error {
	return r.setting(http.StatusNoContent, func(b *bucket) error {
		b.policy = nil
		return nil
	})
}

type policyStatus struct {
	XMLName  xml.Name `xml:"PolicyStatus"`
	Xmlns    string   `xml:"xmlns,attr"`
	IsPublic bool
}

func (r *request) getPolicyStatus() error {
	response := policyStatus{Xmlns: namespace}
	err := r.view(func(b *bucket) error {
		if b.policy == nil {
			return newError("NoSuchBucketPolicy", "BucketName", b.name)
		}
		response.IsPublic = b.policy.public()
		return nil
	})
	if err != nil {
		return err
	}
	return r.writeXML(response)
}
