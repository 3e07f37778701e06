package policy

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/accounts"
)

// principals has the callers that a statement names.
type principals struct {
	everyone  bool
	accounts  []string
	canonical []string // canonical ids of accounts
}

// UnmarshalJSON decodes the forms "*" and {"AWS": […], "CanonicalUser": […], …} of a principal.
func (p *principals) UnmarshalJSON(data []byte) error {
	invalid := malformedPolicy("Invalid principal in policy")
	var name string
	if json.Unmarshal(data, &name) == nil {
		p.everyone = name == "*"
		if !p.everyone {
			return invalid
		}
		return nil
	}

	// The other form has a list of names for each kind.
	var kinds map[string]oneOrMany[string]
	if json.Unmarshal(data, &kinds) != nil || len(kinds) == 0 {
		return invalid
	}
	for kind, names := range kinds {
		if len(names) == 0 {
			return invalid
		}
		for _, name := range names {
			if !p.add(kind, name) {
				return invalid
			}
		}
	}
	return nil
}

// add adds a principal, or returns false if AWS would refuse it.
func (p *principals) add(kind, name string) bool {
	if name == "*" && kind == "AWS" {
		p.everyone = true
		return true
	}
	if name == "" || strings.ContainsAny(name, "*?$") {
		return false
	}
	switch kind {
	case "AWS":
		return p.addAWS(name)
	case "CanonicalUser":
		p.canonical = append(p.canonical, name)
	case "Service", "Federated":
		// No caller of this server is such a principal.
	default:
		return false
	}
	return true
}

// addAWS adds a principal of the kind "AWS": an account's id or ARN, or the ARN of a user or role.
// It returns false if the name is invalid.
func (p *principals) addAWS(name string) bool {
	if !strings.Contains(name, ":") {
		// A name without a colon is not an ARN. Canonical ids of accounts have 64 characters.
		const canonicalLength = 64
		if len(name) == canonicalLength {
			p.canonical = append(p.canonical, name)
		} else {
			p.accounts = append(p.accounts, name)
		}
		return true
	}

	// An ARN is arn:partition:service:region:account:resource.
	parts := strings.SplitN(name, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" {
		return false
	}
	partition := parts[1]
	service := parts[2]
	region := parts[3]
	account := parts[4]
	resource := parts[5]
	isService := service == "iam" || service == "sts"
	if !strings.HasPrefix(partition, "aws") || !isService {
		return false
	}
	if region != "" || account == "" {
		return false
	}

	if resource == "root" {
		p.accounts = append(p.accounts, account)
		return true
	}

	// This server has no users and roles, so no caller is such a principal.
	kind, rest, _ := strings.Cut(resource, "/")
	switch kind {
	case "user", "role", "assumed-role", "federated-user":
		return rest != ""
	}
	return false
}

// include reports whether the caller of the request is among the principals.
func (p *principals) include(r *Request) bool {
	if p.everyone {
		return true
	}
	if r.Anonymous {
		return false
	}
	if slices.Contains(p.accounts, r.Account) {
		return true
	}
	// A policy may also name an account by its canonical id.
	return slices.ContainsFunc(p.canonical, func(id string) bool {
		return strings.EqualFold(id, accounts.OwnerOf(r.Account).ID)
	})
}
