package option

import (
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
)

// A CannedACL is the option with a canned access control list.
type CannedACL types.ObjectCannedACL

// Check returns an error if S3 has no such access control list, or if the objects of the server have no
// lists.
func (o CannedACL) Check(s *Server) error {
	if all := types.ObjectCannedACL("").Values(); !slices.Contains(all, types.ObjectCannedACL(o)) {
		return argument.Invalid("WithACL", fmt.Sprintf("must be one of %s", all), "")
	}
	if !s.HasACLs {
		return &storage.Error{
			Code: storage.Unsupported,
			Err:  errors.New("s3.WithACL needs a server with access control lists of objects"),
			Hint: s.Hint,
		}
	}
	return nil
}

// Apply sets the access control list of a request's input. It does nothing if the request cannot have one,
// and fails with InvalidArgument if the input has another one.
func (o CannedACL) Apply(input any) error {
	acl := field[types.ObjectCannedACL](input, "ACL")
	if acl == nil {
		return nil
	}
	if *acl != "" && *acl != types.ObjectCannedACL(o) {
		return argument.Invalid("WithACL", "excludes WithPublicRead and another WithACL", "")
	}
	*acl = types.ObjectCannedACL(o)
	return nil
}

// Fingerprint returns the name of the access control list.
func (o CannedACL) Fingerprint() string { return string(o) }
