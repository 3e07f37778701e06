package main

import "net/http"

// Azurite checks signatures, shared access signatures, conditions and block lists. It
// is built without the optional databases for its tables.
var azurite = npmTool{
	pkg:      "azurite",
	entry:    "azurite/dist/src/blob/main.js",
	external: []string{"mysql2", "pg-hstore", "tedious"},
	// Ten minutes after its start, Azurite would remove what no blob refers to. It sorts all that it
	// has for each removal, and answers nobody for minutes. 2147483647 ms is the longest wait.
	edits: []edit{
		{
			"azurite/dist/src/blob/utils/constants.js", "exports.DEFAULT_GC_INTERVAL_MS = 10 * 60 * 1000",
			"exports.DEFAULT_GC_INTERVAL_MS = 2147483647",
		},
	},
	// It makes much garbage that it needs no longer. With room for more of it, and without threads that collect it
	// beside a server of one core, the suite takes a fifth less of the processor.
	flags: []string{"--max-semi-space-size=32", "--single-threaded-gc"},
}

// The first account is that of Azurite's documentation. The next two have the same key, for
// tests that change settings of an account: the CORS rules.
const (
	azuriteAccount = "devstoreaccount1"
	azuriteOther   = "devstoreaccount2"
	azuriteBrowser = "devstoreaccount3"
	azuriteKey     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
	azuriteSecond  = "devstoreaccount4" // with a key of its own
	azuriteKey2    = "VGhlIHNlY29uZCBhY2NvdW50IG9mIEF6dXJpdGUgaGFzIGEga2V5IG9mIGl0cyBvd246IHNpeHR5LWZvdXIgYnl0ZXM="
)

func launchAzurite(p instance) (launch, error) {
	name, port, err := splitHost(p)
	if err != nil {
		return launch{}, err
	}
	address := "http://" + p.host + "/" + azuriteAccount
	return launch{
		args: []string{
			"--blobHost", name, "--blobPort", port, "--inMemoryPersistence", "--silent",
			"--skipApiVersionCheck", // SDKs are newer
			"--disableTelemetry",
			"--blobKeepAliveTimeout", "3600", // s, not 5: a client that was slow would send a request to a closed connection
		},
		env: []string{
			"AZURITE_ACCOUNTS=" + azuriteAccount + ":" + azuriteKey + ";" + azuriteOther + ":" + azuriteKey + ";" + azuriteBrowser + ":" + azuriteKey + ";" + azuriteSecond + ":" + azuriteKey2,
		},

		ready:       address + "?comp=list",
		readyStatus: http.StatusForbidden, // the response to an unsigned request
		url:         address,
		variables: map[string]string{
			"ACCOUNT": azuriteAccount, "KEY": azuriteKey,
			"OTHER": "http://" + p.host + "/" + azuriteOther, "BROWSER": "http://" + p.host + "/" + azuriteBrowser,
			"SECOND": "http://" + p.host + "/" + azuriteSecond, "SECOND_ACCOUNT": azuriteSecond, "SECOND_KEY": azuriteKey2,
		},
	}, nil
}
