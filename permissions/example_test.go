package permissions_test

import (
	"fmt"

	"github.com/omnibucket/storage/permissions"
)

func ExampleGrant_Documents() {
	operations, err := permissions.Parse("read", "list")
	if err != nil {
		panic(err)
	}
	grant := permissions.Grant{Operations: operations, Bucket: "photos", Prefix: "users/"}
	documents, err := grant.Documents(permissions.AWS)
	if err != nil {
		panic(err)
	}
	fmt.Println(documents[0].Text)
	// Output:
	// {
	//   "Version": "2012-10-17",
	//   "Statement": [
	//     {
	//       "Effect": "Allow",
	//       "Action": [
	//         "s3:ListBucket"
	//       ],
	//       "Resource": "arn:aws:s3:::photos",
	//       "Condition": {
	//         "StringLike": {
	//           "s3:prefix": "users/*"
	//         }
	//       }
	//     },
	//     {
	//       "Effect": "Allow",
	//       "Action": [
	//         "s3:GetObject",
	//         "s3:GetObjectTagging",
	//         "s3:GetObjectVersion"
	//       ],
	//       "Resource": "arn:aws:s3:::photos/users/*"
	//     }
	//   ]
	// }
}
