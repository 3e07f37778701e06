package main

import "context"

// uploadClients are the JavaScript clients with which the tests of package uploads upload
// from a browser.
var uploadClients = npmScripts{
	npmTool: npmTool{pkg: "uploadclients"},
	entries: []string{"tus=tus-js-client", "uppy=@uppy/core", "aws-s3=@uppy/aws-s3"},
}

// findUploadClients returns the directory of the scripts, which tests serve themselves.
func findUploadClients(_ context.Context, path string) (launch, error) {
	return launch{url: path}, nil
}
