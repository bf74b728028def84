DROP TABLE teams;
DROP TABLE games;
DROP TABLE attempts;
DROP TABLE deliveries;
DROP TABLE events;
DROP TABLE webhooks;
