// Package policies has five small programs. A test runs each of them with the policy that the
// command permissions prints for it, and with every action of the policy taken out.
package policies

import _ "github.com/omnibucket/storage/providers/s3" // s3://
