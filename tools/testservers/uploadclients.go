package main

import "context"

// uploadClients are JavaScript clients. Tests of package uploads use them to upload files from a
// browser.
var uploadClients = npmScripts{
	npmTool: npmTool{pkg: "uploadclients"},
	entries: []string{"tus=tus-js-client", "uppy=@uppy/core", "aws-s3=@uppy/aws-s3"},
}

// findUploadClients returns the directory of the scripts. It starts no server, because each test
// starts its own server for the scripts.
func findUploadClients(_ context.Context, path string) (launch, error) {
	return launch{url: path}, nil
}
