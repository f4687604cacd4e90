package app

import (
	"bytes"
	"context"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/mocks"
	"google.golang.org/grpc"
)

// operator is an operator service that has these search attributes, and adds
// others unless it refuses.
type operator struct {
	operatorservice.OperatorServiceClient
	has    map[string]enumspb.IndexedValueType
	refuse error
	added  map[string]enumspb.IndexedValueType
}

func (o *operator) ListSearchAttributes(context.Context, *operatorservice.ListSearchAttributesRequest, ...grpc.CallOption) (*operatorservice.ListSearchAttributesResponse, error) {
	return &operatorservice.ListSearchAttributesResponse{CustomAttributes: o.has}, nil
}

func (o *operator) AddSearchAttributes(_ context.Context, request *operatorservice.AddSearchAttributesRequest, _ ...grpc.CallOption) (*operatorservice.AddSearchAttributesResponse, error) {
	o.added = request.GetSearchAttributes()
	return &operatorservice.AddSearchAttributesResponse{}, o.refuse
}

const keyword = enumspb.INDEXED_VALUE_TYPE_KEYWORD

func TestPrepareRegistersTheSearchAttributesThatAreMissing(t *testing.T) {
	t.Parallel()
	c, log := newTestConnection(t, &operator{has: map[string]enumspb.IndexedValueType{
		"WebhookDestination": keyword, "GitBookEventType": keyword, "GitBookSpace": keyword, "GitBookSite": keyword,
	}})
	require.NoError(t, c.prepare(t.Context()))
	added := c.client.OperatorService().(*operator).added
	require.Equal(t, map[string]enumspb.IndexedValueType{"GitBookInstallation": keyword, "WebhookRedelivery": keyword}, added)
	require.Empty(t, log.String())
}

func TestPrepareSaysTheCommandWhenItMayNotRegister(t *testing.T) {
	t.Parallel()
	c, log := newTestConnection(t, &operator{refuse: serviceerror.NewPermissionDenied("no", "")})
	require.NoError(t, c.prepare(t.Context()))
	require.Contains(t, log.String(), `command="temporal operator search-attribute create --namespace prod`+
		` --name WebhookDestination --type Keyword --name GitBookEventType --type Keyword --name GitBookInstallation --type Keyword`+
		` --name GitBookSpace --type Keyword --name GitBookSite --type Keyword --name WebhookRedelivery --type Keyword"`)
}

func TestPrepareNamesTheCommandForANamespaceThatIsMissing(t *testing.T) {
	t.Parallel()
	c, _ := newTestConnection(t, &operator{refuse: serviceerror.NewNamespaceNotFound("prod")})
	require.EqualError(t, c.prepare(t.Context()), `namespace "prod" does not exist; create it: temporal operator namespace create --namespace prod`)
}

func newTestConnection(t *testing.T, o *operator) (*connection, *bytes.Buffer) {
	t.Helper()
	temporal := &mocks.Client{}
	temporal.On("CheckHealth", mock.Anything, mock.Anything).Return(&client.CheckHealthResponse{}, nil)
	temporal.On("CountWorkflow", mock.Anything, mock.Anything).Return(&workflowservice.CountWorkflowExecutionsResponse{}, nil)
	temporal.On("OperatorService").Return(o)
	var log bytes.Buffer
	options := testOptions()
	options.Logger = slog.New(slog.NewTextHandler(&log, nil))
	options.Temporal.Namespace = "prod"
	return newConnection(temporal, options), &log
}
