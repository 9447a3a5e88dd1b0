// Package msclient speaks to Microsoft's services over HTTP: it signs people in,
// and carries requests to Microsoft Graph with the retries, throttling and error
// handling those services ask for. It knows nothing of the setup's steps.
package msclient
